"""Learn convolutional features with STDP, without labels, and see what a linear readout can make of them.

What the eye sees as on and off contrasts fires the earlier the stronger; neurons of a convolution integrate that wave
of spikes and fire once each; where one map fires first the others are silenced; the first few of an image learn. Then
the next layer learns on top. ``python -m tasks.features`` takes scikit-learn's handwritten digits; ``--data mnist`` and
``--data fashion_mnist`` the larger sets. The test part is looked at once, by the readout that validation has chosen.

After Kheradpisheh et al., STDP-based spiking deep convolutional neural networks for object recognition, Neural Networks
99 (2018). Different here: one image after another is a batch of a few, times are linear in contrast, and the
readout sees how early each map fires in each cell of a coarse grid, in place of one potential per map.
"""
