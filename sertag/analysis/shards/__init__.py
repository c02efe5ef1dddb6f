"""Tables of parts of an archive."""
