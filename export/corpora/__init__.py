"""Recordings with labels: which clips there are, in published corpora and in data of one's own."""
