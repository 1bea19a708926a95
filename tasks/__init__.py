"""Runnable experiments on conex_nn: ``python -m tasks.<name>``."""
