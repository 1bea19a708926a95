"""Triton kernels. Importing a module here imports Triton, so `conex_nn.kernels` does it on the first call."""
