"""A folder to look through corpora with, before anything is trained on them."""
