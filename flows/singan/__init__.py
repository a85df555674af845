"""The uses of a SinGAN of one picture: files in, files out."""
