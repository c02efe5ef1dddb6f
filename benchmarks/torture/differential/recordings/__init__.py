"""Recordings of real speech in every container and codec, damaged in the ways that happen: one for each seed."""
