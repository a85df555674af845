"""Unconditional pairs: two generators between two emotions (Zhu et al., ICCV 2017)."""
