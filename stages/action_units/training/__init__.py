"""How the embedded networks learn."""
