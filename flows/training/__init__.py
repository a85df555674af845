"""A training from the command line: faces, checkpoint, log, sheet."""
