"""What nobody should do to sertag, done many times."""
