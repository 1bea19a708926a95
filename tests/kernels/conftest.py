"""What pytest leaves alone here."""

collect_ignore = ["interpreted.py"]  # a script that has to be the first to import Triton: test_gpu.py runs it
