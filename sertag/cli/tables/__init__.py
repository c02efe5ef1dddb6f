"""Commands on existing tables; everything but click is imported inside them."""
