"""Groups of neurons that are alike: in their weights, or in what they do."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["clusters"]


def clusters(vectors: Float[Tensor, "neurons features"], *, max_distance: float = 0.5) -> Int[Tensor, " neurons"]:
    """Group neurons whose vectors correlate: within a group no two are further apart than ``max_distance``.

    The distance of two is one minus their correlation (complete linkage). The groups are numbered from the largest, so
    that colours mean something. A vector that is the same everywhere, such as that of a silent neuron, correlates with
    nothing and gets -1.

    Args:
        vectors: Of each neuron: its weights, or its activity over time.
        max_distance: Largest distance within a group, from 0 (all alike) to 2 [1].

    Returns:
        The group of each neuron [1].

    Raises:
        ValueError: Vectors of another shape, or a distance that is not positive.

    Example:
        >>> clusters(torch.tensor([[0.0, 1.0, 2.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]))
        tensor([ 0,  1,  0, -1])

    References:
        Sørensen, Biologiske Skrifter 5 (1948): complete linkage.
    """
    # Imported here: scikit-learn is of use where neurons are grouped only.
    from sklearn.cluster import AgglomerativeClustering

    if vectors.dim() != 2:
        raise ValueError(f"Expected `vectors` of shape (neurons, features), got {tuple(vectors.shape)}.")
    if not max_distance > 0:
        raise ValueError(f"Expected `max_distance` to be positive [1], got {max_distance}.")
    values = vectors.detach().double().cpu()
    about = values - values.mean(1, keepdim=True)
    length = about.norm(dim=1)
    varied = (length > 1e-12 * values.norm(dim=1)).nonzero().flatten()  # by more than rounding
    labels = torch.full((len(vectors),), -1, dtype=torch.long)
    if len(varied) < 2:
        labels[varied] = 0
        return labels.to(vectors.device)
    unit = about[varied] / length[varied, None]
    distance = (1 - unit @ unit.T).clamp(min=0)
    distance.fill_diagonal_(0)
    options: dict[str, Any] = {"n_clusters": None, "metric": "precomputed", "linkage": "complete"}
    grouping = AgglomerativeClustering(distance_threshold=max_distance, **options)
    found = torch.as_tensor(grouping.fit_predict(distance.numpy()))
    order = torch.argsort(torch.bincount(found), descending=True, stable=True)
    labels[varied] = torch.argsort(order)[found]
    return labels.to(vectors.device)
