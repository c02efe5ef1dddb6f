"""One live recording: provisional results at once, final results at the end."""
