"""Paths to samples: find recordings, tell what they are, decode them."""
