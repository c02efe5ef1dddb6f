"""What outlives the process: outputs, locks, the journal."""
