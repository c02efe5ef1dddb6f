"""Streams of frames without a container; the header of each frame gives its length."""
