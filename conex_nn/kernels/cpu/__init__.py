"""Numba kernels: each function makes, for one floating type, a kernel over whole sequences."""
