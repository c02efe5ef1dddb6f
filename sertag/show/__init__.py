"""Shows one recording on a terminal or as a picture, plays it, or cuts it."""
