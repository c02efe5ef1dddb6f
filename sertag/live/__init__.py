"""A recording that is still being made, to events; start reading at `listen`, from Python at `stream`."""
