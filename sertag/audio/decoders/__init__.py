"""The decoders, one module for each library, and the choice between them."""
