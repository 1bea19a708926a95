"""Pictures of training: of one sample, in the places that were asked for, and without a trace in what is learned."""

from functools import partial

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.logger import DummyLogger
from torch import nn

import conex_nn as cx
from conex_nn.training import ActivityImages, Pictures, SequenceTask, SpikingClassifier, WeightImages

from .local_nets import hybrid, stdp
from .stripes import CLASSES, FEATURES, Stripes, classifier, trainer


class Figures(DummyLogger):
    """A logger that takes figures, as TensorBoard's does."""

    def __init__(self):
        super().__init__()
        self.got = []

    @property
    def experiment(self):
        return self

    def add_figure(self, tag, figure, global_step, close):
        self.got.append((tag, global_step, [text.get_text() for text in figure.axes[0].get_yticklabels()]))


def fit(model, folder, *callbacks, epochs=2, **options):
    runner = trainer(folder, max_epochs=epochs, callbacks=list(callbacks), **options)
    runner.fit(model, datamodule=Stripes())
    return runner


def test_rasters_and_rates_go_to_a_logger_that_takes_figures(tmp_path):
    logger = Figures()
    fit(classifier(), tmp_path, ActivityImages(every=2), epochs=4, logger=logger)
    assert [(tag, step) for tag, step, _ in logger.got] == [("raster", 2), ("rates", 2), ("raster", 4), ("rates", 4)]
    assert logger.got[0][2][0].startswith("1\n12 neurons")
    assert not list(tmp_path.rglob("*.png"))


def test_beside_a_log_of_numbers_they_are_files(tmp_path):
    logger = CSVLogger(tmp_path, name="log", version="")
    fit(stdp(), tmp_path, ActivityImages(), WeightImages(), logger=logger, epochs=1)
    found = sorted(path.name for path in (tmp_path / "log" / "pictures").iterdir())
    assert found == ["0.weight-0.png", "0.weight-1.png", "raster-1.png", "rates-1.png"]


def test_a_folder_that_was_named_is_where_they_go(tmp_path):
    logger = Figures()
    fit(classifier(), tmp_path, ActivityImages(tmp_path / "here"), logger=logger, epochs=1)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["raster-1.png", "rates-1.png"]
    assert not logger.got
    fit(classifier(), tmp_path / "bare", ActivityImages(), epochs=1)  # no logger at all
    assert len(list((tmp_path / "bare" / "pictures").iterdir())) == 2


def test_tensorboard_has_them(tmp_path):
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path, name="", version="")
    fit(stdp(), tmp_path, ActivityImages(), WeightImages(), logger=logger)
    logger.experiment.flush()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert sorted(events.Tags()["images"]) == ["0.weight", "raster", "rates"]
    assert [image.step for image in events.Images("raster")] == [1, 2]
    assert [image.step for image in events.Images("0.weight")] == [0, 1, 2]
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("make", [stdp, hybrid, classifier])
def test_training_is_what_it_would_be_without(tmp_path, make):
    weights = []
    for callbacks in ([], [ActivityImages(tmp_path)]):
        L.seed_everything(3, verbose=False)
        model = make()
        fit(model, tmp_path, *callbacks)
        weights.append(dict(model.net.state_dict()))
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_the_sample_is_the_same_in_all_epochs_and_modes_are_kept(tmp_path):
    seen = []

    class Keeps(ActivityImages):
        def pictures(self, trainer, model, epoch):
            dropout = next(module for module in model.modules() if isinstance(module, nn.Dropout))
            dropout.eval()
            yield from super().pictures(trainer, model, epoch)
            assert model.training
            assert not dropout.training
            seen.append(self._sample)

    fit(classifier(), tmp_path, Keeps(tmp_path))
    assert torch.equal(*seen)
    assert seen[0].shape == (1, 8, FEATURES)  # encoded


def test_without_validation_the_sample_is_one_of_training(tmp_path):
    fit(classifier(), tmp_path, ActivityImages(tmp_path), epochs=1, limit_val_batches=0)
    assert (tmp_path / "raster-1.png").exists()


def test_pictures_of_ones_own(tmp_path):
    class Distribution(Pictures):
        def pictures(self, trainer, model, epoch):
            yield "all", cx.plots.weight_histogram(dict(model.net.named_parameters()))

    fit(classifier(), tmp_path, Distribution(tmp_path, every=2))
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["all-0.png", "all-2.png"]


def test_unsuitable_uses(tmp_path):
    with pytest.raises(ValueError, match=r"`every` to be at least 1 \[1\], got 0"):
        ActivityImages(every=0)
    with pytest.raises(TypeError, match="to see a SpikingClassifier or a SequenceTask, got LightningModule"):
        ActivityImages().on_fit_start(None, L.LightningModule())
    silent = SpikingClassifier(
        cx.Sequential(nn.Linear(FEATURES, CLASSES), cx.LI()), num_classes=CLASSES,
        optimizer=partial(torch.optim.SGD, lr=0.1),
    )  # fmt: skip
    with pytest.raises(ValueError, match="a network with layers that spike for `ActivityImages`, got none"):
        fit(silent, tmp_path, ActivityImages())
    with pytest.raises(ValueError, match="the address of a module, got '7'"):
        fit(classifier(), tmp_path, ActivityImages(addresses=["7"]))


def test_pictures_of_a_network_that_maps_sequences(tmp_path):
    class Values(L.LightningDataModule):
        def train_dataloader(self):
            xs = torch.rand(4, 8, FEATURES)
            return torch.utils.data.DataLoader([(x, torch.rand(8, 2), torch.ones(8)) for x in xs], batch_size=2)

    net = cx.Sequential(nn.Linear(FEATURES, 6), cx.LIF(), nn.Linear(6, 2), cx.LI())
    model = SequenceTask(net, loss=nn.MSELoss(reduction="none"))
    callbacks = [ActivityImages(tmp_path), WeightImages(tmp_path, {"0.weight": None})]
    trainer(tmp_path, max_epochs=1, callbacks=callbacks).fit(model, datamodule=Values())
    found = sorted(path.name for path in tmp_path.glob("*.png"))
    assert found == ["0.weight-0.png", "0.weight-1.png", "raster-1.png", "rates-1.png"]
    rates = SequenceTask(cx.rates.CTRNN(FEATURES, 5, output_size=2))
    with pytest.raises(ValueError, match=r"layers that spike for `ActivityImages`, got none\. For what rates do"):
        trainer(tmp_path, max_epochs=1, callbacks=[ActivityImages()]).fit(rates, datamodule=Values())


def test_padding_is_not_drawn():
    images, x = ActivityImages(), torch.rand(3, 8, FEATURES)
    images.on_train_batch_start(None, classifier(), (x, torch.zeros(3), torch.tensor([5, 8, 2])), 0)
    assert torch.equal(images._sample, x[:1, :5])
