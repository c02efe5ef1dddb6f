"""Many files at once, each in a process that may die without loss."""
