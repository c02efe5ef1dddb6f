"""What models reach: suites of tests, each measured by one loop for any recipe, and the tables made of them."""
