"""SinGANimation: grow facial-expression datasets from the faces they have."""
