"""Filters over the columns of a table, as a user writes them."""
