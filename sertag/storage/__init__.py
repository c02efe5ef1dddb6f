"""Files that remain after a run: outputs, locks, the journal."""
