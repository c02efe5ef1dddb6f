"""Filter expressions over the columns of a table."""
