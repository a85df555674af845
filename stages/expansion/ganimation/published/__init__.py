"""Generators that others published: read as data, recognised by their tensors, run as ours."""
