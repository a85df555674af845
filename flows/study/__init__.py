"""`augment study`: ask people whether pictures are real, and which emotion they show."""
