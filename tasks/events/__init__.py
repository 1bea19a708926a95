"""Recognise handwritten digits in the events of a camera that moves, by surrogate gradients.

``python -m tasks.events --data-root ../shared/data`` takes the first 1000 training and 100 test recordings of N-MNIST,
if the folder has ``nmnist_small.npz`` (or ``nmnist.npz``, or is such a file itself). Without it, recordings are made of
scikit-learn's digits, moved before a simulated camera: a stand-in, and the report says so.

Recordings are shifted by a few pixels at random, framed on the device, and shown to two convolutions and one hidden
layer of spiking neurons. The epoch is chosen on a validation part; the test part is looked at once.
"""
