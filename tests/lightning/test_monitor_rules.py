"""The rules of the monitor: what a step may return, what is warned of, what raises, and with which words."""

import importlib.util
import re
from typing import Any

import pytest
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from segiou import Dice, MeanIoU
from segiou.lightning import SegmentationMonitor
from tests.helpers.lightning_cases import (
    CLASSES,
    IGNORED,
    OF_LIGHTNING,
    PIXELS,
    Tiny,
    close,
    loader,
    logged,
    monitor,
    naive,
    samples,
    trainer,
)

pytestmark = OF_LIGHTNING


class Returns(Tiny):
    """Returns what a function makes of the usual outputs of a step."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
        return self.change(super().step(stage, batch, batch_idx, loader), batch_idx)


# ---- what a step returns


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
@pytest.mark.parametrize("nothing", [None, {}])
def test_a_skipped_batch_is_not_counted(nothing):
    model = Returns(lambda outputs, batch_idx: nothing if batch_idx == 1 else outputs)
    runner = trainer(monitor(stages=["val"] if nothing == {} else ["train", "val"]))
    if nothing is None:
        runner.fit(model, loader(batch_size=2), loader(batch_size=2))
    else:  # in training Lightning wants a loss of every dict
        runner.validate(model, loader(batch_size=2))
    for stage in runner.callbacks[0].stages:
        kept = [pair for batch_idx, pair in model.seen[stage, 0].items() if batch_idx != 1]
        assert close(logged(runner), stage, naive(kept))


REMEDY = (
    "return them, pass SegmentationMonitor(4, model='net', target=1) to take predictions from the call of a network, "
    "pass outputs=function(outputs, batch) -> (preds, target), or leave "
)


@pytest.mark.parametrize(("run", "nothing"), [("validate", None), ("validate", {}), ("test", None)])
def test_a_step_that_never_returns_anything_raises(run, nothing):
    stage = {"validate": "val", "test": "test"}[run]
    message = (
        f"{stage}/mIoU and {stage}/Dice have no value, since no batch gave predictions and target: "
        f"{'validation' if run == 'validate' else 'test'}_step returned {nothing}: {REMEDY}{stage!r} out of stages"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        getattr(trainer(monitor()), run)(Returns(lambda outputs, batch_idx: nothing), loader())


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
def test_training_steps_that_never_return_anything_raise_when_the_epoch_ends():
    class Silent(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> None:
            return None

    with pytest.raises(ValueError, match="^train/mIoU and train/Dice have no value.*: training_step returned None: "):
        trainer(monitor(stages="train")).fit(Silent(), loader(), loader())


def test_an_epoch_without_pixels_is_warned_of():
    said = "nothing was counted for val/mIoU and val/Dice: there were no batches, or no pixels"
    model = Returns(lambda outputs, _: {name: outputs[name][:0] for name in ("preds", "target")})
    runner = trainer(monitor())
    with pytest.warns(UserWarning, match=f"^{said}$"):
        runner.validate(model, loader())
    assert all(value != value for value in logged(runner).values())


# ---- the sanity check


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda o: None, {}, "val/mIoU and val/Dice have no value, since no batch gave predictions"),
        (lambda o: o["loss"], {}, "validation_step must return a dict with preds and target"),
        (lambda o: o, {"ignore_index": None}, "target labels must be 0 to 3, got 255"),
        (lambda o: o, {"outputs": lambda outputs, batch: batch}, "floating preds|preds"),
    ],
)
def test_the_sanity_check_ends_a_run_that_could_not_be_measured(change, arguments, message):
    model = Returns(lambda outputs, _: change(outputs))
    ours = SegmentationMonitor(CLASSES, **{"ignore_index": IGNORED, "stages": ["val"], **arguments})
    with pytest.raises(ValueError, match=f"^({message})"):
        trainer(ours, num_sanity_val_steps=1).fit(model, loader(), loader())
    assert ("train", 0) not in model.seen


def test_the_sanity_check_lets_batches_be_skipped():
    model = Returns(lambda outputs, batch_idx: {} if batch_idx < 2 and not outputs["preds"].requires_grad else outputs)
    runner = trainer(monitor(), num_sanity_val_steps=2)
    runner.fit(model, loader(batch_size=2), loader(batch_size=2))
    assert close(logged(runner), "val", naive([pair for i, pair in model.seen["val", 0].items() if i > 1]))


# ---- names that people use


@pytest.mark.parametrize("preds", ["preds", "prediction", "logits", "y_hat"])
@pytest.mark.parametrize("target", ["target", "targets", "labels", "mask", "y"])
def test_usual_names(preds, target):
    model = Returns(lambda outputs, _: {"loss": outputs["loss"], preds: outputs["preds"], target: outputs["target"]})
    runner = trainer(monitor())
    runner.validate(model, loader())
    assert close(logged(runner), "val", model.naive("val"))


def test_preds_and_target_come_before_other_names():
    model = Returns(lambda outputs, _: {**outputs, "logits": outputs["preds"] * -1, "labels": outputs["target"] * 0})
    runner = trainer(monitor())
    runner.validate(model, loader())
    assert close(logged(runner), "val", model.naive("val"))


def test_names_of_which_several_fit_are_not_guessed():
    model = Returns(lambda o, _: {"logits": o["preds"], "pred": o["preds"], "mask": o["target"], "label": o["target"]})
    got = (
        "got a dict with ['label', 'logits', 'mask', 'pred'], of which ['pred', 'logits'] could each be the preds and "
        "['label', 'mask'] could each be the target: return them"
    )
    with pytest.raises(ValueError, match=re.escape(got)):
        trainer(monitor()).validate(model, loader())


@pytest.mark.parametrize(
    ("run", "change", "got"),
    [
        ("validate", lambda o: o["loss"], "validation_step must return {}, got a Tensor: {} 'val' out of stages"),
        ("test", lambda o: {"x": 1, "preds": 2}, "test_step must return {}, got a dict with ['preds', 'x']: {} 'test'"),
        ("test", lambda o: {"target": o["target"]}, "test_step must return {}, got a dict with ['target']: {} 'test'"),
        (
            "fit",
            lambda o: o["loss"],
            "training_step must return {}, got a loss alone: {} 'train' out of stages",
        ),
    ],
)
def test_a_step_that_returns_something_else_raises_at_the_first_batch(run, change, got):
    need = "a dict with preds and target for SegmentationMonitor"
    remedy = REMEDY.removesuffix(" ")
    model = Returns(lambda outputs, batch_idx: change(outputs))
    loaders = (loader(), loader()) if run == "fit" else (loader(),)
    with pytest.raises(ValueError, match=f"^{re.escape(got.format(need, remedy))}"):
        getattr(trainer(monitor()), run)(model, *loaders)
    assert all(batches.keys() == {0} for batches in model.seen.values())


def test_outputs_extracts_predictions_and_target_from_what_a_step_returns():
    def predictions(outputs: Any, batch: Any) -> Any:
        return {"out": outputs["logits"]}, batch[1]  # torchvision's mapping is unwrapped

    model = Returns(lambda outputs, batch_idx: {"loss": outputs["loss"], "logits": outputs["preds"]})
    runner = trainer(monitor(outputs=predictions))
    runner.fit(model, loader(), loader())
    assert close(logged(runner), "train", model.naive("train"))
    assert close(logged(runner), "val", model.naive("val"))


def test_outputs_is_asked_where_a_step_returns_none():
    class Remembers(Tiny):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.last = super().validation_step(batch, batch_idx)["preds"]

    model = Remembers()
    runner = trainer(monitor(outputs=lambda outputs, batch: (model.last, batch[1])))
    runner.validate(model, loader())
    assert close(logged(runner), "val", model.naive("val"))


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
@pytest.mark.parametrize(
    "extract",
    [
        lambda outputs, batch: (outputs["preds"], outputs["target"]),
        lambda outputs, batch: (outputs["preds"], outputs["target"]) if outputs else None,
    ],
)
def test_outputs_may_leave_out_batches_that_the_step_skipped(extract):
    model = Returns(lambda outputs, batch_idx: None if batch_idx == 1 else outputs)
    runner = trainer(monitor(outputs=extract))
    runner.fit(model, loader(batch_size=2), loader(batch_size=2))
    for stage in ("train", "val"):
        assert close(logged(runner), stage, naive([pair for i, pair in model.seen[stage, 0].items() if i != 1]))


def test_outputs_that_fails_on_none_in_every_batch_raises_what_it_raised():
    message = (
        "val/mIoU and val/Dice have no value, since no batch gave predictions and target: validation_step returned None, "
        "and outputs=function(outputs, batch) -> (preds, target) failed on what validation_step returned, None: "
        "TypeError: 'NoneType' object is not subscriptable: let outputs take that, or leave 'val' out of stages"
    )
    ours = monitor(outputs=lambda outputs, batch: (outputs["preds"], batch[1]))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trainer(ours).validate(Returns(lambda outputs, batch_idx: None), loader())


def test_outputs_that_fails_says_in_which_step_and_on_what():
    model = Returns(lambda outputs, batch_idx: {"logits": outputs["preds"]})
    message = (
        "outputs=function(outputs, batch) -> (preds, target) failed on what validation_step returned, a dict with "
        "['logits']: KeyError: 'preds'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trainer(monitor(outputs=lambda outputs, batch: (outputs["preds"], batch[1]))).validate(model, loader())


def test_predictions_outside_the_classes_raise_while_running():
    model = Returns(lambda outputs, batch_idx: {**outputs, "preds": outputs["target"].new_full((3, 6, 5), CLASSES)})
    with pytest.raises(ValueError, match="^preds labels must be 0 to 3, got 4 "):
        trainer(monitor()).validate(model, loader(6))


def test_nan_scores_are_warned_of_when_the_epoch_ends():
    model = Returns(lambda outputs, batch_idx: {**outputs, "preds": outputs["preds"] * float("nan")})
    with pytest.warns(UserWarning, match=f"^{7 * PIXELS} pixels had nan among their scores"):
        trainer(monitor()).validate(model, loader())


# ---- tasks


@pytest.mark.parametrize(("maps", "task"), [(1, {"task": "binary"}), (2, {"task": "multilabel", "num_labels": 2})])
def test_binary_and_multilabel_tasks(maps, task):
    foreground = torch.tensor([1, 2][:maps]).view(-1, 1, 1)

    class Maps(Tiny):
        """One map of scores for each label."""

        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            images, target = batch
            return {"preds": self.net(images)[:, :maps].sigmoid(), "target": (target[:, None] == foreground).long()}

    model, runner, data = Maps(), trainer(SegmentationMonitor(**task)), samples(7)
    runner.validate(model, loader(data))
    preds = model.net(data.tensors[0])[:, :maps].sigmoid() > 0.5
    target = data.tensors[1][:, None] == foreground
    both, either, each = preds & target, preds | target, preds.int() + target.int()
    axes = (0, 2, 3)
    assert logged(runner)["val/mIoU"] == pytest.approx(float((both.sum(axes) / either.sum(axes)).mean()), abs=1e-6)
    assert logged(runner)["val/Dice"] == pytest.approx(float((2 * both.sum(axes) / each.sum(axes)).mean()), abs=1e-6)


# ---- a module that logs the same key


class LogsIt(Tiny):
    """Logs a key of the monitor's in a hook of its own."""

    def __init__(self, hook: str, **settings: Any) -> None:
        super().__init__()
        self.hook = hook
        self.settings = settings

    def log_in(self, hook: str) -> None:
        if self.hook == hook:
            self.log("val/mIoU", 0.25, **self.settings)

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.log_in("validation_step")
        return super().validation_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        self.log_in("on_validation_epoch_end")

    def on_train_epoch_end(self) -> None:
        self.log_in("on_train_epoch_end")


LIKE_THE_MONITOR = {
    "prog_bar": True,
    "sync_dist": True,
    "rank_zero_only": True,
    "batch_size": 1,
    "add_dataloader_idx": False,
}
TWIN = (
    "val/mIoU is logged by SegmentationMonitor and by something else as well, and Lightning mixes the two: "
    'log one of them under another name, or give the monitor a prefix, such as prefix="pixels/"'
)


@pytest.mark.parametrize(
    ("module", "epochs"),
    [
        (LogsIt("validation_step"), 1),
        (LogsIt("on_validation_epoch_end", **LIKE_THE_MONITOR), 1),
        (LogsIt("on_train_epoch_end"), 2),
    ],
    ids=lambda value: getattr(value, "hook", None),
)
def test_a_module_that_logs_the_same_key_is_warned_of(module, epochs):
    with pytest.warns(UserWarning, match=f"^{TWIN}$"):
        trainer(monitor(), max_epochs=epochs).fit(module, loader(), loader())


@pytest.mark.parametrize(
    ("first", "second", "key"),
    [
        ({}, {"average": "micro"}, "test/Dice"),
        ({"stages": ["val"]}, {"stages": ["test", "val"]}, "val/Dice"),
        ({"prefix": "a/"}, {"prefix": "a/"}, "a/test/Dice"),
        (
            {"stages": "val", "prefix": "test/"},
            {"stages": "test", "metrics": {"val/mIoU": Dice(CLASSES)}},
            "test/val/mIoU",
        ),
    ],
)
@pytest.mark.parametrize("run", ["fit", "validate", "test"])
def test_two_monitors_with_the_same_keys_raise_at_the_start(run, first, second, key):
    message = (
        f"two SegmentationMonitors of one trainer would both log {key}: give one of them a prefix, such as "
        'prefix="coarse/", or other stages'
    )
    model = Tiny()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        getattr(trainer(monitor(**first), monitor(**second)), run)(model, *([loader()] * (1 + (run == "fit"))))
    assert not model.seen


def test_two_monitors_of_other_stages_or_prefixes_live_together():
    model = Tiny()
    runner = trainer(monitor(stages="val"), monitor(stages="train"), monitor(prefix="micro_", average="micro"))
    runner.fit(model, loader(), loader())
    assert logged(runner).keys() == {
        f"{prefix}{stage}/{name}"
        for prefix in ("", "micro_")
        for stage in ("train", "val")
        for name in ("mIoU", "Dice")
    }
    assert close(logged(runner), "val", model.naive("val"))


def test_lightning_itself_refuses_the_same_key_in_the_same_hook_with_other_settings():
    with pytest.raises(MisconfigurationException, match="twice in `on_validation_epoch_end` with different arguments"):
        trainer(monitor()).validate(LogsIt("on_validation_epoch_end"), loader())


def test_the_same_monitor_in_another_trainer_is_not_warned_of():
    """And neither is a module that logs under names of its own."""

    class LogsOther(Tiny):
        """Measures the loss, and IoU by a metric of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.metric = MeanIoU(CLASSES, ignore_index=IGNORED)

        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            outputs = super().validation_step(batch, batch_idx)
            self.metric.update(outputs["preds"], outputs["target"])
            self.log("val/own", self.metric)
            return outputs

    ours = monitor()
    for size in (7, 5):
        runner = trainer(ours, max_epochs=2)
        runner.fit(LogsOther(), loader(size), loader(size))
        assert logged(runner)["val/own"] == logged(runner)["val/mIoU"]


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"stages": ["val", "fit"]},
            ValueError,
            'stages must be some of "train", "val" and "test", got [\'val\', \'fit\']',
        ),
        ({"stages": "fit"}, ValueError, 'stages must be some of "train", "val" and "test", got \'fit\''),
        ({"stages": ()}, ValueError, 'stages must be some of "train", "val" and "test", got ()'),
        ({"outputs": 3}, TypeError, "outputs must be a function of (outputs, batch), got 3"),
        (
            {"average": "none"},
            ValueError,
            'average="none" gives no single value to log: leave it out, the loggers get scores per class',
        ),
        ({"absent": 2.0}, ValueError, 'absent must be "skip" or a score between 0 and 1, got 2.0'),
        ({"class_names": ["one"]}, ValueError, "class_names must be 4 different names, got ['one']"),
    ],
)
def test_bad_arguments_raise_at_once(arguments, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        monitor(**arguments)


def test_a_figure_needs_matplotlib(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'^figure=True needs matplotlib: pip install "segiou\[plot\]"$'):
        monitor(figure=True)
    assert not monitor()._publisher.figures.drawn
