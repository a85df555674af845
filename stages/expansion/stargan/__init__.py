"""One generator for all labels of several data sets (Choi et al., CVPR 2018)."""
