"""Results to tables: columns, file formats, the terminal."""
