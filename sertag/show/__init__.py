"""One recording to look at and to listen to: on a terminal, as a picture, played, cut."""
