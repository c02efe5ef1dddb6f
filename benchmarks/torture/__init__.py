"""What nobody should do to sertag, done many times. `python -m benchmarks.torture` and `.differential`."""
