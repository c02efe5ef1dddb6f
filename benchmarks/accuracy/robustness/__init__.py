"""What recordings go through, and which labels of a model survive it."""
