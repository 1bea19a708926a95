"""What tasks with neurons that fire once share: the layer and its learning, the data, receptive fields."""
