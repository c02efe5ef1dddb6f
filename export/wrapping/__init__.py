"""Networks of other people become model files: what stands around them becomes part of the graph."""
