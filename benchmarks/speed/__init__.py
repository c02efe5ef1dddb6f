"""What tagging costs, and what speech activity gets wrong."""
