"""What `augment doctor` looks at."""
