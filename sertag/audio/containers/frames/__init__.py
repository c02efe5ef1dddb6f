"""Streams of frames without a container, each with a head that says how long it is."""
