"""How the shipped generator learns from the geometry."""
