"""One file to its rows; start reading at `pipeline`."""
