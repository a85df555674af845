"""What no flow supplies: teeth, eyeballs, closed lids, folds."""
