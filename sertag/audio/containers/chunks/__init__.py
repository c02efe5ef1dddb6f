"""Containers made of chunks or blocks: each has a header with its name and its size."""
