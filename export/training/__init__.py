"""Clips to a trained, measured and converted network; `train` is the place to start reading."""
