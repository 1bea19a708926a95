"""Lightning says less after `quiet`, and no less of what matters."""

import logging
import warnings

import pytest

from conex_nn.training import quiet


def test_what_is_no_news_is_not_said():
    logger, fabric = (logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric"))
    levels = logger.level, fabric.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            logger.setLevel(logging.INFO)
            quiet()
            assert not logger.getChild("utilities.rank_zero").isEnabledFor(logging.INFO)
            assert logger.isEnabledFor(logging.WARNING)
            warnings.warn("The 'train_dataloader' does not have many workers which may be a bottleneck.", stacklevel=1)
            warnings.warn("The number of training batches (10) is smaller than the logging interval", stacklevel=1)
            warnings.warn("Checkpoint directory /runs exists and is not empty.", stacklevel=1)
            with pytest.raises(UserWarning, match="another"):
                warnings.warn("another", stacklevel=1)
    finally:
        logger.setLevel(levels[0])
        fabric.setLevel(levels[1])
