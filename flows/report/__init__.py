"""`augment report`: a manifest as one page to look at."""
