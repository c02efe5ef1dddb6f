"""Figures: of probabilities and true labels, of folds, and of whole model files."""
