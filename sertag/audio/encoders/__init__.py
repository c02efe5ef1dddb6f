"""Samples to files that are small and that browsers play."""
