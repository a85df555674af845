"""`augment serve`: when runs are due, the process that each is, and what is said about them."""
