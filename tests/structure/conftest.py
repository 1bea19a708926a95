"""What pytest leaves alone here."""

collect_ignore = ["interpreted_ring.py"]  # a script that tells Triton to interpret: test_ring_gpu.py runs it
