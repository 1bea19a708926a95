"""Less of what Lightning says."""

import logging
import warnings

__all__ = ["quiet"]

_KNOWN = (
    ".*LeafSpec.*",  # of torch, at each start
    ".*exists and is not empty.*",  # a run anew replaces the one before
    ".*does not have many workers.*",  # data in memory need none
    ".*is smaller than the logging interval.*",  # the log has the end of each epoch in any case
    ".*has been removed as a dependency of the `lightning.pytorch` package.*",  # of TensorBoard
)


def quiet() -> None:
    """Let Lightning keep to itself what is no news: the devices that there are, its tips, and some of its warnings.

    They are those of its dependence on an older torch, of a log that is written anew, of data loaders without workers,
    of epochs shorter than an interval of the log, and of TensorBoard that is not there. Errors and all other warnings
    stay. Its progress bar and its table of the model are options of the trainer:
    ``L.Trainer(enable_progress_bar=False, enable_model_summary=False)``.

    Example:
        >>> quiet()
        >>> logging.getLogger("lightning.pytorch").isEnabledFor(logging.INFO)
        False
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _KNOWN:
        warnings.filterwarnings("ignore", message=message)
