"""What a telephone, a room and an archive do to samples, and clips from and to files."""
