"""The static sections of the page, HTML that needs no script."""
