"""One run, from its settings to its exit code; start reading at `batch`."""
