"""Tables to one HTML page for review: `sertag report`."""
