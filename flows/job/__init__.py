"""One run of the main job: planned, opened, worked off, resumed, summed up."""
