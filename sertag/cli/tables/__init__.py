"""Commands on tables that are there already; everything but click is imported inside them."""
