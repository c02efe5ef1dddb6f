"""Container formats: compares the header of a file with its content; one module for each family of formats."""
