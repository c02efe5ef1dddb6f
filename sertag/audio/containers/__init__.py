"""Container formats: compares the headers of a file with its content; one module for each family."""
