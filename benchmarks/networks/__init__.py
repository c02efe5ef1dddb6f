"""Networks of other people, wrapped and compared with where they come from."""
