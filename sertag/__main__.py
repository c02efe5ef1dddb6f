"""`python -m sertag` is `sertag`."""

from sertag.cli import main

if __name__ == "__main__":
    main()
