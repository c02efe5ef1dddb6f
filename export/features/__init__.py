"""Clips to what networks are shown: windows of cut clips, and windows of calls."""
