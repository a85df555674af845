"""The parts of ``benchmarks/usefulness.py``: pictures, synthetic pools, arms, the network, figures."""
