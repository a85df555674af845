"""Attributes: spectacles, a beard or hair of another picture, carried over and taken off (GeoGAN)."""
