"""Samples to windows of features."""
