"""The monitor in one process: what it logs is the naive value, however the trainer is set up."""

import gc
import weakref
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.utilities import CombinedLoader
from torch.multiprocessing.reductions import StorageWeakRef

from segiou import Dice, MeanIoU
from tests.helpers.lightning_cases import (
    CLASSES,
    IGNORED,
    NAMES,
    OF_LIGHTNING,
    PACKAGES,
    PIXELS,
    Tiny,
    TinyOfLightning,
    close,
    loader,
    logged,
    monitor,
    naive_of,
    samples,
    trainer,
)

pytestmark = OF_LIGHTNING
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
KEYS = {f"{stage}/{name}" for stage in ("train", "val") for name in ("mIoU", "Dice")}


class LBFGS(Tiny):
    """Runs a batch several times in one step."""

    def configure_optimizers(self) -> Any:
        return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=3)


class Manual(Tiny):
    """Steps its optimizer itself."""

    automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        outputs = super().training_step(batch, batch_idx)
        self.optimizers().zero_grad()
        self.manual_backward(outputs["loss"])
        self.optimizers().step()
        return outputs


@pytest.mark.parametrize(
    ("module", "options", "train_samples", "validations"),
    [
        (Tiny, {}, 7, [7]),
        (Tiny, {"val_check_interval": 0.5}, 7, [7, 7]),
        (Tiny, {"accumulate_grad_batches": 2}, 7, [7]),
        (Tiny, {"limit_val_batches": 2, "limit_train_batches": 3}, 6, [4]),
        (Tiny, {"limit_val_batches": 0.5}, 7, [4]),
        (Tiny, {"fast_dev_run": True}, 2, [2]),
        (Tiny, {"inference_mode": False}, 7, [7]),
        (Tiny, {"precision": "bf16-mixed"}, 7, [7]),
        (Tiny, {"precision": "64-true"}, 7, [7]),
        (Tiny, {"num_sanity_val_steps": 2}, 7, [7]),
        pytest.param(Tiny, {"accelerator": "cuda"}, 7, [7], marks=GPU),
        (LBFGS, {}, 7, [7]),
        (Manual, {}, 7, [7]),
    ],
)
def test_fit_logs_the_naive_values(published, module, options, train_samples, validations):
    model, runner = module(lr=0.1), trainer(monitor(), **options)
    runner.fit(model, loader(batch_size=2), loader(batch_size=2))
    got = logged(runner)
    assert close(got, "train", model.naive("train"))
    assert close(got, "val", model.naive("val"))
    assert published == [*(("val", PIXELS * n) for n in validations), ("train", PIXELS * train_samples)]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_both_packages_and_every_stage_in_turn(published, package):
    """State made in inference mode by ``validate`` must not disturb ``fit``, nor the other way round."""
    model = (TinyOfLightning if issubclass(TinyOfLightning, package.LightningModule) else Tiny)(lr=0.1)
    runner = trainer(monitor(), package=package, max_epochs=2)
    assert isinstance(runner.callbacks[0], package.Callback)
    data = samples(5, seed=2)
    for run, stage in [("validate", "val"), ("fit", "val"), ("test", "test"), ("validate", "val")]:
        loaders = (loader(), loader(data)) if run == "fit" else (loader(data),)
        getattr(runner, run)(model, *loaders)
        assert close(logged(runner), stage, naive_of(model, data)), run
    train, val, test = ("train", PIXELS * 7), ("val", PIXELS * 5), ("test", PIXELS * 5)
    assert published == [val, val, train, val, train, test, val]


def test_a_compiled_module():
    model, runner = Tiny(), trainer(monitor())
    runner.fit(torch.compile(model, backend="eager"), loader(), loader())
    assert close(logged(runner), "val", naive_of(model, samples(7)))


def test_every_epoch_starts_at_nothing(published):
    trainer(monitor(), max_epochs=3).fit(Tiny(), loader(), loader(4))
    assert published == [("val", PIXELS * 4), ("train", PIXELS * 7)] * 3


def test_several_loaders(published):
    model, runner = Tiny(), trainer(monitor())
    first, second = samples(7), samples(5, seed=1)
    runner.validate(model, [loader(first), loader(second, batch_size=2)])
    assert logged(runner).keys() == {f"val/{name}/dataloader_idx_{i}" for name in ("mIoU", "Dice") for i in (0, 1)}
    assert close(logged(runner), "val", naive_of(model, first), "/dataloader_idx_0")
    assert close(logged(runner), "val", naive_of(model, second), "/dataloader_idx_1")
    assert published == [("val/dataloader_idx_0", PIXELS * 7), ("val/dataloader_idx_1", PIXELS * 5)]


class FirstOfTwo(Tiny):
    """Takes the first of the two batches that it is given at once."""

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        return super().validation_step(batch[0], batch_idx)


def test_loaders_combined_into_one_batch(published):
    model, runner = FirstOfTwo(), trainer(monitor())
    runner.validate(model, CombinedLoader([loader(7, batch_size=2), loader(4, batch_size=2)], "min_size"))
    assert close(logged(runner), "val", model.naive("val"))
    assert published == [("val", PIXELS * 4)]


def test_the_sanity_check_leaves_no_trace():
    class AfterTheCheck(Callback):
        """Reads the metrics when the sanity check has ended."""

        def on_sanity_check_end(self, trainer: Any, pl_module: Any) -> None:
            self.found = logged(trainer)

    check = AfterTheCheck()
    runner = trainer(monitor(), check, num_sanity_val_steps=2)
    runner.fit(Tiny(), loader(), loader())
    assert check.found == {}
    assert logged(runner).keys() == KEYS


def test_checkpoints_and_early_stopping_see_the_values_of_their_epoch(tmp_path):
    """The monitor comes last, and val/mIoU does not improve at a learning rate of 0."""
    kept = ModelCheckpoint(tmp_path, monitor="val/mIoU", mode="max", save_top_k=-1)
    stop = EarlyStopping("train/mIoU", mode="max", patience=1, check_on_train_epoch_end=True)
    model, runner = Tiny(), trainer(kept, stop, monitor(), max_epochs=5, enable_checkpointing=True)
    runner.fit(model, loader(), loader())
    assert runner.current_epoch == 2
    assert [float(score) for score in kept.best_k_models.values()] == [logged(runner)["val/mIoU"]] * 2
    assert float(stop.best_score) == logged(runner)["train/mIoU"]


def test_nothing_of_a_training_step_is_kept_alive():
    class Watch(Callback):
        """Counts what is alive of earlier batches when the next one starts: predictions, or their memory."""

        def __init__(self) -> None:
            self.preds: list[weakref.ref[torch.Tensor]] = []
            self.memory: list[StorageWeakRef] = []
            self.alive = 0

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            assert outputs["preds"].requires_grad
            self.preds.append(weakref.ref(outputs["preds"]))
            self.memory.append(StorageWeakRef(outputs["preds"].untyped_storage()))
            pl_module.seen.clear()

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            gc.collect()
            self.alive += sum(ref() is not None for ref in self.preds)
            self.alive += sum(not ref.expired() for ref in self.memory)

    watch = Watch()
    trainer(watch, monitor()).fit(Tiny(lr=0.1), loader(batch_size=2), loader(2))
    assert len(watch.preds) == 4
    assert watch.alive == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"average": "micro"},
        {"average": "weighted", "absent": 0.0, "absent_if": "target"},
        {"exclude": [0, 2]},
        {"class_names": NAMES, "per_class": False, "figure": False, "prog_bar": False, "drop_padding": False},
    ],
    ids=str,
)
def test_settings_change_values_and_never_keys(settings):
    model, runner = Tiny(), trainer(monitor(**settings))
    runner.fit(model, loader(), loader())
    assert logged(runner).keys() == KEYS
    scoring = {key: value for key, value in settings.items() if key in ("average", "absent", "absent_if", "exclude")}
    for metric in (MeanIoU, Dice):
        alone = metric(CLASSES, ignore_index=IGNORED, **scoring)
        for scores, target in model.seen["val", 0].values():
            alone.update(scores, target)
        assert logged(runner)[f"val/{metric.score.key}"] == float(alone.compute())


@pytest.mark.parametrize("stages", [("val",), ["train"], ("val", "train")])
def test_only_the_chosen_stages(stages):
    class TrainingLoss(Tiny):
        """Returns no more than a loss where training is not measured."""

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            outputs = super().training_step(batch, batch_idx)
            return outputs if "train" in stages else outputs["loss"]

    runner = trainer(monitor(stages=stages))
    runner.fit(TrainingLoss(), loader(), loader())
    assert logged(runner).keys() == {key for key in KEYS if key.split("/")[0] in stages}


def test_the_progress_bar_shows_miou_alone():
    runner = trainer(monitor())
    runner.fit(Tiny(), loader(), loader())
    assert {key for key in runner.progress_bar_metrics if "/" in key} == {"train/mIoU", "val/mIoU"}


@pytest.mark.filterwarnings("ignore:(?is).*(jsonargparse|was deprecated in v4)")
def test_lightning_cli_takes_the_monitor_from_its_configuration(monkeypatch):
    monkeypatch.setattr("sys.argv", ["fit.py"])
    settings = {
        "class_path": "segiou.lightning.SegmentationMonitor",
        "init_args": {"num_classes": CLASSES, "ignore_index": IGNORED, "stages": ["val"], "absent": "skip"},
    }
    quiet = {"accelerator": "cpu", "fast_dev_run": True, "enable_model_summary": False, "logger": False}
    cli = LightningCLI(
        Tiny,
        args={"trainer": {**quiet, "enable_progress_bar": False, "callbacks": [settings]}},
        run=False,
        seed_everything_default=False,
        save_config_callback=None,
    )
    cli.trainer.validate(cli.model, loader(), verbose=False)
    assert close(logged(cli.trainer), "val", cli.model.naive("val"))
