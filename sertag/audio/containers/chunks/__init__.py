"""Containers made of chunks or blocks: a head that names it and counts the bytes that follow."""
