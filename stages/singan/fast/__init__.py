"""The fast engine: still one GAN per edit, at about a thousandth of the reference's cost."""
