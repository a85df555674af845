"""What is drawn on faces to make training pairs whose answers are known."""
