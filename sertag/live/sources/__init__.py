"""Where live audio comes from."""
