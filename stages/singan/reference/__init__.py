"""The reference engine: SinGAN as published."""
