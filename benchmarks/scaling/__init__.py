"""Clusters and many files: measured, and simulated."""
