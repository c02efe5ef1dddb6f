"""The decoders, one module for each library, and which of them opens what."""
