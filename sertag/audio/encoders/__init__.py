"""Samples to recordings."""
