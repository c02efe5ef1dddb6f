"""What the page consists of: a static part, data, and the script and styles in `assets`."""
