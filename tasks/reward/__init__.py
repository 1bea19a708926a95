"""Learn by reward which digit an image shows, with no classifier but the neurons that decide.

A retina, a convolution that has learned by STDP without labels, and neurons each of which stands for a class from the
start. The neuron of the highest potential decides; a right decision is rewarded and a wrong one punished, and only the
neuron that has decided learns. ``python -m tasks.reward`` takes scikit-learn's handwritten digits; ``--data mnist`` and
``--data fashion_mnist`` the larger sets. Validation chooses the epoch; the test part is looked at once.

After Mozafari et al., Bio-inspired digit recognition using reward-modulated STDP in deep convolutional networks,
Pattern Recognition 94 (2019). Different here: one convolution in place of two, deciding neurons that see the whole
image in place of a 5 x 5 part of it, and batches: each image counts in full, but sees the weights before its batch.
"""
