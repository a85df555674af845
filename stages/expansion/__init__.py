"""GANimation: edit the expression of an aligned face by its action units (Pumarola et al., ECCV 2018)."""
