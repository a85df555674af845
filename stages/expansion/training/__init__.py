"""What the trainings of all generators share: settings, loop, losses."""
