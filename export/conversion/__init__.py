"""A trained network to the one file that sertag runs."""
