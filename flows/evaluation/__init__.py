"""`augment evaluate OUT`: what a manifest's own figures say of expansion and regeneration."""
