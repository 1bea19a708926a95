"""Benchmarks, side by side with other libraries."""
