"""Contact sheets: of a run, and of what a generator makes of faces."""
