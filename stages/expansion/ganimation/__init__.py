"""GANimation as published (Pumarola et al., ECCV 2018): its networks and its losses."""
