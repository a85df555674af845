"""An encoder, a decoder that is told the label, and a classifier that must not find it in the code (Liu & Jin)."""
