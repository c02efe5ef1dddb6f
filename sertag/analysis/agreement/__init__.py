"""Agreement of results with verdicts of listeners."""
