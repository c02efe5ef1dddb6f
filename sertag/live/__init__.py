"""Live audio to events; start reading at `listen`, or at `stream` for use from Python."""
