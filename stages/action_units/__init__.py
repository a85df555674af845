"""Action units of a face: one signature for all estimators, and the embedded networks."""
