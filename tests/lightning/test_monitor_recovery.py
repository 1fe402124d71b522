"""The monitor after a checkpoint from amid an epoch, and after an exception."""

from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import Callback
from torch.utils.data import DistributedSampler

from tests.helpers.lightning_cases import (
    OF_LIGHTNING,
    PIXELS,
    Tiny,
    close,
    loader,
    logged,
    monitor,
    naive_of,
    samples,
    trainer,
)

pytestmark = [*OF_LIGHTNING, pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before")]
RESUMED = (
    "^training resumed at batch 2 of its epoch: train/mIoU and train/Dice of this epoch cover the batches from here on$"
)


@pytest.fixture
def amid(tmp_path) -> Path:
    """A checkpoint from after the second of four batches."""

    class Save(Callback):
        """Saves it."""

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            if batch_idx == 1:
                trainer.save_checkpoint(tmp_path / "amid.ckpt")

    trainer(Save()).fit(Tiny(), loader(batch_size=2), loader(2))
    return tmp_path / "amid.ckpt"


class Fails(Tiny):
    """Fails once, in the last batch of a stage or at the end of its validation."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.fails_in = where

    def fail_in(self, where: str) -> None:
        if self.fails_in == where:
            self.fails_in = "nothing"
            raise RuntimeError("a bad batch")

    def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
        if batch_idx == 2:
            self.fail_in(stage)
        return super().step(stage, batch, batch_idx, loader)

    def on_validation_epoch_end(self) -> None:
        self.fail_in("epoch end")


@pytest.mark.parametrize("failed_before", [False, True])
def test_a_run_resumed_amid_an_epoch_covers_the_rest_of_it_and_says_so(amid, published, failed_before):
    ours = monitor()
    if failed_before:
        with pytest.raises(RuntimeError, match="a bad batch"):
            trainer(ours).fit(Fails("train"), loader(), loader(2))
    model, runner = Tiny(), trainer(ours, max_epochs=2)
    with pytest.warns(UserWarning, match=RESUMED):
        runner.fit(model, loader(batch_size=2), loader(2), ckpt_path=amid)
    first, second = (pixels for stage, pixels in published if stage == "train")
    assert (first, second) == (PIXELS * 4, PIXELS * 7)  # Lightning starts its loader anew: two batches of two
    assert close(logged(runner), "train", naive_of(model, samples(7)))


def test_which_samples_a_resumed_epoch_repeats_is_not_known(amid, published):
    """Rank 1 of 2 has three samples and a repeated one in two batches, of which the first comes as number 2."""
    train = loader(samples(15), batch_size=2, sampler=DistributedSampler(samples(15), num_replicas=2, rank=1))
    with (
        pytest.warns(UserWarning, match=RESUMED),
        pytest.warns(UserWarning, match="^the train loader's DistributedSampler repeats samples"),
    ):
        trainer(monitor()).fit(Tiny(), train, loader(2), ckpt_path=amid)
    assert published[-1] == ("train", PIXELS * 4)


@pytest.mark.parametrize("where", ["train", "val", "epoch end"])
def test_an_exception_leaves_no_counts_to_the_next_fit(published, where):
    model, ours = Fails(where), monitor()
    with pytest.raises(RuntimeError, match="a bad batch"):
        trainer(ours).fit(model, loader(), loader())
    model.train()
    runner = trainer(ours, num_sanity_val_steps=1)
    runner.fit(model, loader(), loader())
    assert published == [("val", PIXELS * 7), ("train", PIXELS * 7)]
    assert close(logged(runner), "val", naive_of(model, samples(7)))
