"""Heat maps of landmarks say which expression to draw (G2-GAN, Song et al., ACM Multimedia 2018)."""
