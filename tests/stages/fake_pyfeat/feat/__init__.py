"""Stands for py-feat in tests: its modules' names and signatures, behaviour on demand, loaded in a second."""
