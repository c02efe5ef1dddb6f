"""One recording while it is made: what is said at once, and what is said in the end."""
