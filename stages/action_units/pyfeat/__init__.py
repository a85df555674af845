"""Py-Feat as an estimator, in a process of its own."""
