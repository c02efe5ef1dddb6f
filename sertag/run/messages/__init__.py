"""What a run says while it works: messages and progress."""
