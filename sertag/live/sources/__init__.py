"""Sources of live audio."""
