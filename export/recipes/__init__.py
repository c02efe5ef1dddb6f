"""Recipes: one short file a model, in pure Keras."""
