"""What the headers of a file say, compared with what is there: one module for each family of containers."""
