"""``model=``: predictions from the calls of a network, on modules whose steps return nothing for the monitor."""

import copy
import gc
import re
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.callbacks import Callback, EarlyStopping
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.data import DataLoader

from segiou import ImagewiseIoU, MeanIoU
from segiou.lightning import SegmentationMonitor
from segiou.lightning.batch_parts import target_of
from segiou.lightning.epoch import Measures
from tests.helpers import capture_cases as cases
from tests.helpers.capture_cases import Manual, OwnForward, Silent
from tests.helpers.lightning_cases import (
    CLASSES,
    IGNORED,
    OF_LIGHTNING,
    Tiny,
    close,
    loader,
    logged,
    monitor,
    naive_of,
    samples,
    trainer,
)

pytestmark = [*OF_LIGHTNING, pytest.mark.filterwarnings("ignore:.*_dynamo|.*torch.jit.script")]
NO_MAIN = {"_hparams", "_trainer", "_fabric"}  # Lightning's own


def kept(module: nn.Module) -> dict[str, dict[str, Any]]:
    """The attributes of a module and its submodules that are not Lightning's own."""
    return {
        name: {key: value for key, value in vars(each).items() if key not in NO_MAIN}
        for name, each in module.named_modules()
    }


@pytest.mark.parametrize(
    ("module", "network", "options"),
    [
        (Silent, "net", {}),
        (Silent, "net", {"precision": "bf16-mixed"}),
        (Silent, "net", {"accumulate_grad_batches": 2}),
        (Silent, "net", {"inference_mode": False}),
        (Silent, "net", {"val_check_interval": 0.5}),
        (OwnForward, "", {}),
        (OwnForward, "net", {}),
        (cases.ForwardMethod, "", {}),
        (cases.Checkpointed, "net", {}),
        (cases.CheckpointedReentrant, "net", {}),
        (cases.Manual, "net", {}),
        (cases.ManualCheckpointed, "net", {}),
        (cases.LBFGS, "net", {}),
        (cases.CompiledNetwork, "net", {}),
        (cases.CompiledInPlace, "net", {}),
        (cases.Scripted, "net", {}),
    ],
)
def test_a_module_that_returns_nothing_is_measured_and_stays_as_it_is(module, network, options):
    model, runner = module(lr=0.1), trainer(monitor(model=network), num_sanity_val_steps=1, max_epochs=2, **options)
    before = {name: set(found) for name, found in kept(model).items()}
    runner.fit(model, loader(batch_size=2), loader(batch_size=2))
    assert close(logged(runner), "train", model.naive("train"))
    assert close(logged(runner), "val", model.naive("val"))
    assert {name: set(found) for name, found in kept(model).items()} == before
    assert not {"training_step", "validation_step", "test_step"} & vars(runner.strategy).keys()


@pytest.mark.parametrize(("module", "network"), [(Silent, "net"), (OwnForward, ""), (cases.ForwardMethod, "")])
def test_a_module_compiled_as_a_whole(module, network):
    torch._dynamo.reset()
    model, runner = module(), trainer(monitor(model=network))
    runner.fit(torch.compile(model, backend="eager"), loader(batch_size=7), loader(batch_size=7))
    assert close(logged(runner), "train", naive_of(model, samples(7)))
    assert close(logged(runner), "val", naive_of(model, samples(7)))


def test_stages_in_turn_and_predict():
    """And a run without the monitor between."""

    class Predicts(Silent):
        def predict_step(self, batch: Any) -> Any:
            return self.net(batch[0]) + self.net(batch[0])

    model, ours, data = Predicts(lr=0.1), monitor(model="net"), samples(5, seed=2)
    for run, stage in [("validate", "val"), ("fit", "val"), ("predict", ""), ("test", "test"), ("validate", "val")]:
        runner = trainer(ours)
        runs = getattr(runner, run)
        runs(model, *((loader(), loader(data)) if run == "fit" else (loader(data),)))
        assert run == "predict" or close(logged(runner), stage, naive_of(model, data))


def test_several_loaders():
    model, runner = Silent(), trainer(monitor(model="net"))
    first, second = samples(7), samples(5, seed=1)
    runner.validate(model, [loader(first), loader(second, batch_size=2)])
    assert close(logged(runner), "val", naive_of(model, first), "/dataloader_idx_0")
    assert close(logged(runner), "val", naive_of(model, second), "/dataloader_idx_1")


def test_early_stopping_sees_the_values_of_every_epoch():
    """Before, the score of such a module was nan, and the training ended after one epoch."""
    runner = trainer(EarlyStopping("val/mIoU", mode="max", patience=9), monitor(model="net"), max_epochs=3)
    runner.fit(Silent(lr=0.1), loader(), loader())
    assert runner.current_epoch == 3


# ---- the target


class DictBatches(Silent):
    """Has batches of another form, and removes the target from them."""

    form: Any = None

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return type(self).form(*batch)

    def unpacked(self, batch: Any) -> Any:
        if isinstance(batch, dict):
            target = batch.pop(next(name for name in batch if name != "image"))
            return batch["image"], target.get("labels") if isinstance(target, dict) else target
        return (batch.image, batch.mask) if isinstance(batch, SimpleNamespace) else (batch[0], batch[-1])


@pytest.mark.parametrize(
    ("form", "target"),
    [
        (lambda x, y: {"image": x, "mask": y}, "mask"),
        (lambda x, y: {"image": x, "mine": y}, "mine"),
        (lambda x, y: {"image": x, "mine": {"labels": y}}, lambda batch: batch["mine"]["labels"]),
        *((lambda x, y, name=name: {"image": x, name: y}, None) for name in ("mask", "masks", "label", "labels")),
        *((lambda x, y, name=name: {"image": x, name: y}, None) for name in ("target", "targets")),
        (lambda x, y: (x, y), None),
        (lambda x, y: (x, None, y), 2),
        (lambda x, y: (x, None, y), -1),
        (lambda x, y: SimpleNamespace(image=x, mask=y), "mask"),
        (lambda x, y: SimpleNamespace(image=x, mask=y), None),
    ],
)
def test_the_target_is_taken_from_the_batch_before_the_step(form, target):
    class Batches(DictBatches):
        pass

    Batches.form = form
    runner = trainer(monitor(model="net", target=target))
    runner.validate(Batches(), loader())
    assert close(logged(runner), "val", naive_of(Tiny(), samples(7)))


def test_the_first_of_the_usual_names_is_the_target():
    class Batches(DictBatches):
        form = staticmethod(lambda x, y: {"image": x, "mask": y, "label": torch.tensor(3)})

    runner = trainer(monitor(model="net"))
    runner.validate(Batches(), loader())
    assert close(logged(runner), "val", naive_of(Tiny(), samples(7)))


def test_a_step_that_changes_the_labels_in_place_is_measured_with_those_of_the_batch():
    class Changes(Silent):
        def unpacked(self, batch: Any) -> Any:
            batch[1][batch[1] == IGNORED] = 0
            return batch

    def fresh() -> DataLoader[Any]:
        return loader(samples(7))

    model, runner = Changes(), trainer(monitor(model="net"))
    runner.fit(model, fresh(), fresh())
    for stage in ("train", "val"):
        assert close(logged(runner), stage, naive_of(model, samples(7)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"target": "masks"},
            "target='masks' failed on a batch that is a dict with ['image', 'mine']: KeyError: 'masks'",
        ),
        (
            {"target": lambda batch: batch["nothing"]},
            "target=function(batch) failed on a batch that is a dict with ['image', 'mine']: KeyError: 'nothing'",
        ),
        (
            {},
            "target=None finds no target in a batch that is a dict with ['image', 'mine']: pass its key or index, or a "
            "function of the batch",
        ),
    ],
)
def test_a_target_that_is_not_there_ends_the_run_at_once(arguments, message):
    class Batches(DictBatches):
        form = staticmethod(lambda x, y: {"image": x, "mine": y})

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trainer(monitor(model="net", **arguments)).validate(Batches(), loader())


# ---- the predictions


class Head(nn.Module):
    """Wraps the scores of a network."""

    def __init__(self, net: nn.Module, form: Any) -> None:
        super().__init__()
        self.net = net
        self.form = form

    def forward(self, images: torch.Tensor) -> Any:
        return self.form(self.net(images))


class HasHead(Silent):
    """Reads its scores out of what its head returns."""

    def __init__(self, form: Any, read: Any) -> None:
        super().__init__()
        self.head = Head(self.net, form)
        self.read = read

    def call(self, images: torch.Tensor) -> torch.Tensor:
        return self.read(self.head(images))


@pytest.mark.parametrize(
    ("form", "read", "preds"),
    [
        (lambda x: {"out": x, "aux": -x}, lambda found: found["out"], None),  # torchvision
        (lambda x: SimpleNamespace(logits=x, loss=0), lambda found: found.logits, None),  # transformers
        (lambda x: SimpleNamespace(output=x, auxiliary_heads={}), lambda found: found.output, None),  # terratorch
        (lambda x: (x, x.mean((2, 3))), lambda found: found[0], lambda found: found[0]),
        (lambda x: [x, x[..., ::2]], lambda found: found[0], lambda found: found[0]),
        (lambda x: {"seg": {"out": x}}, lambda found: found["seg"]["out"], lambda found: found["seg"]),
        (lambda x: x, lambda found: found, lambda found: found.argmax(1)),
    ],
)
def test_heads_that_return_more(form, read, preds):
    model, runner = HasHead(form, read), trainer(monitor(model="head", preds=preds))
    runner.fit(model, loader(), loader())
    assert close(logged(runner), "train", model.naive("train"))
    assert close(logged(runner), "val", model.naive("val"))


@pytest.mark.parametrize(
    ("form", "read", "preds", "message"),
    [
        (
            lambda x: (x, x.mean((2, 3))),
            lambda found: found[0],
            None,
            "model='head' returned a tuple of 2 in validation_step, of which not all are predictions: say which with "
            "preds=function, such as preds=lambda returned: returned[0]",
        ),
        (
            lambda x: {"seg": x},
            lambda found: found["seg"],
            None,
            "no predictions were found in what model='head' returned in validation_step, a dict with ['seg']: "
            'TypeError: preds must be a tensor, an array, a list of them, or hold the scores as "out", "logits" or '
            "\"output\", got keys ['seg']; pass preds=function(returned) -> scores or labels",
        ),
        (
            lambda x: {"seg": x},
            lambda found: found["seg"],
            lambda found: found["segs"],
            "preds=function failed on what model='head' returned in validation_step, a dict with ['seg']: KeyError: "
            "'segs'; pass preds=function(returned) -> scores or labels",
        ),
    ],
)
def test_heads_that_cannot_be_read_end_the_run_in_the_sanity_check(form, read, preds, message):
    model = HasHead(form, read)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trainer(monitor(model="head", preds=preds), num_sanity_val_steps=1).fit(model, loader(), loader())
    assert ("train", 0) not in model.seen


@pytest.mark.parametrize("inference_mode", [True, False])
def test_predictions_that_the_step_changes_in_place_are_not_counted(inference_mode):
    class Changes(Silent):
        def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
            self.net(batch[0]).mul_(-1)

    with pytest.raises(ValueError, match="^validation_step changes in place what model='net' returned"):
        trainer(monitor(model="net"), inference_mode=inference_mode).validate(Changes(), loader())


class Perfect(Silent):
    """Predicts the labels that are in its images."""

    def __init__(self, change: Any = None, of_batch: int = 0) -> None:
        super().__init__()
        self.change, self.of_batch = change, of_batch
        self.net = nn.Identity()
        self.dummy = nn.Parameter(torch.zeros(1))

    def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
        found = self.net(batch[0])
        if self.change is not None and batch_idx >= self.of_batch:
            self.change(found)
        return self.dummy.sum() if stage == "train" else None

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD([self.dummy], 0.1)


def perfect_loader(images: int = 12, side: int = 40, shuffle: bool = False) -> DataLoader:
    target = torch.randint(0, CLASSES, (images, side, side), generator=torch.Generator().manual_seed(0))
    scores = nn.functional.one_hot(target, CLASSES).movedim(-1, 1).float()
    return DataLoader(torch.utils.data.TensorDataset(scores, target), 4, shuffle=shuffle)


IN_PLACE = {
    "at the edge": (lambda scores: scores[:, :, -2:].zero_(), 0, {}),
    "in few rows": (lambda scores: scores[:, :, 31:33].zero_(), 0, {}),
    "in a later batch": (lambda scores: scores.neg_(), 2, {}),
    "of what preds takes": (lambda given: given[0].neg_(), 0, {"preds": lambda given: given[0]}),
}


@pytest.mark.parametrize("case", IN_PLACE)
@pytest.mark.parametrize("inference_mode", [True, False])
def test_no_change_in_place_is_counted(case, inference_mode):
    change, of_batch, options = IN_PLACE[case]
    model = Perfect(change, of_batch)
    if options:
        model.net = Pair()
    with pytest.raises(ValueError, match="^validation_step changes in place what model='net' returned"):
        trainer(monitor(model="net", **options), inference_mode=inference_mode).validate(model, perfect_loader(48))


class Pair(nn.Module):
    """Gives scores and something else."""

    def forward(self, scores: torch.Tensor) -> Any:
        return scores, scores.mean(1)


def test_what_is_changed_beside_the_predictions_does_not_matter():
    model = Perfect(lambda given: given[1].neg_())
    model.net = Pair()
    run = trainer(monitor(model="net", preds=lambda given: given[0]))
    run.validate(model, perfect_loader())
    assert logged(run)["val/mIoU"] == 1


@pytest.mark.parametrize("when", ["before the run", "in the step"])
@pytest.mark.parametrize("network", ["net", ""])
def test_what_hooks_make_of_an_output_is_counted(when, network):
    class Hooked(Perfect):
        def forward(self, scores: torch.Tensor) -> torch.Tensor:
            return scores + 0

        def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
            called = self.get_submodule(network)
            if when == "in the step" and not called._forward_hooks:
                called.register_forward_hook(negative)
            called(batch[0]) if batch_idx else called(batch[0], **{})
            return self.dummy.sum() if stage == "train" else None

    def negative(module: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        return -output

    model = Hooked()
    if when == "before the run":
        model.get_submodule(network).register_forward_hook(negative)
    run = trainer(monitor(model=network))
    run.validate(model, perfect_loader())
    assert logged(run)["val/mIoU"] == 0
    assert len(model.get_submodule(network)._forward_hooks) == 1


def test_hooks_do_not_see_the_call_of_forward_itself():
    class Direct(Perfect):
        def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
            self.net.forward(batch[0])
            return self.dummy.sum() if stage == "train" else None

    model = Direct()
    model.net.register_forward_hook(lambda module, args, output: -output)
    run = trainer(monitor(model="net"))
    run.validate(model, perfect_loader())
    assert logged(run)["val/mIoU"] == 1


@pytest.mark.filterwarnings("ignore")  # Lightning's, of a run without validation
@pytest.mark.parametrize("finder", ["LearningRateFinder", "BatchSizeFinder"])
def test_a_finder_leaves_no_target_behind(finder, tmp_path):
    """Its steps are run without the monitor's hooks, which would take what was kept of the batch."""
    from pytorch_lightning import callbacks

    class Tuned(Perfect):
        lr, batch_size = 0.1, 4
        validation_step = LightningModule.validation_step  # there is none

        def train_dataloader(self) -> DataLoader:
            return DataLoader(perfect_loader(16).dataset, self.batch_size, shuffle=True)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD([self.dummy], self.lr)

    find = {
        "LearningRateFinder": lambda: callbacks.LearningRateFinder(num_training_steps=3, early_stop_threshold=None),
        "BatchSizeFinder": lambda: callbacks.BatchSizeFinder(max_trials=2, init_val=2, steps_per_trial=1),
    }
    run = trainer(monitor(model="net"), find[finder](), max_epochs=1, default_root_dir=tmp_path)
    run.fit(Tuned())
    assert logged(run)["train/mIoU"] == 1


def test_a_bool_mask_beside_labels_is_no_target_of_many_classes():
    batch = {"mask": torch.ones(2, 3, 3, dtype=torch.bool), "labels": torch.zeros(2, 3, 3, dtype=torch.long)}
    assert target_of(batch) == "mask"
    assert target_of(batch, of_bools=False) == "labels"
    assert target_of({"mask": batch["mask"]}, of_bools=False) == "mask"
    assert target_of(SimpleNamespace(mask=batch["mask"].numpy(), label=batch["labels"]), of_bools=False) == "label"
    assert monitor(model="net")._captured.of_bools == (CLASSES == 2)
    assert SegmentationMonitor(task="binary", model="net")._captured.of_bools


# ---- how often


class Augmented(Silent):
    """Averages several calls."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.calls: list[list[Any]] = []

    def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
        self.calls.append([(self.net(batch[0] * (1 - 2 * time)).detach(), batch[1]) for time in range(self.times)])


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize(("calls", "index"), [("first", 0), ("last", -1)])
def test_the_first_or_the_last_of_several_calls(times, calls, index):
    model, runner = Augmented(times), trainer(monitor(model="net", calls=calls))
    runner.validate(model, loader())
    alone = MeanIoU(CLASSES, ignore_index=IGNORED)
    for found in model.calls:
        alone.update(*found[index])
    assert logged(runner)["val/mIoU"] == float(alone.compute())


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            2,
            'validation_step called model=\'net\' 2 times: pass calls="last" or calls="first" to say which call has the '
            "predictions, or return preds and target from the step, without model=",
        ),
        (
            0,
            "validation_step called model='net' 0 times: pass the name of what it calls, 'net', or leave 'val' out of "
            "stages",
        ),
    ],
)
def test_several_calls_or_none_raise(times, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trainer(monitor(model="net")).validate(Augmented(times), loader())


def test_a_network_that_calls_itself_is_called_once():
    class Twice(OwnForward):
        def forward(self, images: torch.Tensor, flip: bool = True) -> torch.Tensor:
            scores = self.net(images)
            return scores - self.forward(images.flip(-1), flip=False).flip(-1) if flip else scores

    model, runner = Twice(), trainer(monitor(model=""))
    runner.validate(model, loader())
    assert close(logged(runner), "val", model.naive("val"))


def test_calls_outside_the_steps_are_not_counted():
    class Before(Silent):
        def on_validation_batch_start(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            self.net(batch[0] * -1)

    model, runner = Before(), trainer(monitor(model="net"))
    runner.validate(model, loader())
    assert close(logged(runner), "val", model.naive("val"))


def test_a_training_step_may_skip_batches_without_a_call():
    class Skips(Manual):
        def training_step(self, batch: Any, batch_idx: int) -> None:
            return None if batch_idx == 1 else super().training_step(batch, batch_idx)

    model, runner = Skips(), trainer(monitor(model="net"))
    runner.fit(model, loader(batch_size=2), loader())
    assert model.seen["train", 0].keys() == {0, 2, 3}
    assert close(logged(runner), "train", model.naive("train"))


def test_a_submodule_that_is_not_there():
    class Two(OwnForward):
        def __init__(self) -> None:
            super().__init__()
            self.other, self.loss, self.iou = nn.Conv2d(1, 1, 1), nn.CrossEntropyLoss(), MeanIoU(2)

    message = (
        "Two has no submodule model='nett' that validation_step could call: pass one of its own, '' or 'net' or 'other'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trainer(monitor(model="nett")).validate(Two(), loader())


# ---- nothing is kept, and nothing is left behind


@pytest.mark.parametrize("where", ["train", "val"])
def test_an_exception_in_a_step_leaves_the_module_as_it_was(where):
    class Fails(OwnForward):
        def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
            self(batch[0])
            if stage == where:
                raise RuntimeError("a bad batch")
            return super().step(stage, batch, batch_idx, loader) if stage == "train" else None

    model, ours = Fails(), monitor(model="", stages=where)
    before = {name: set(found) for name, found in kept(model).items()}
    runner = trainer(ours)
    with pytest.raises(RuntimeError, match="a bad batch"):
        runner.fit(model, loader(), loader())
    assert {name: set(found) for name, found in kept(model).items()} == before
    assert not {"training_step", "validation_step"} & vars(runner.strategy).keys()
    runner = trainer(ours)
    fine = OwnForward()
    runner.fit(fine, loader(), loader())
    assert close(logged(runner), where, naive_of(fine, samples(7)))


def test_a_forward_of_the_instance_is_put_back():
    model = Silent()
    mine = model.net.forward = lambda images, forward=model.net.forward: -forward(images)
    runner = trainer(monitor(model="net"))
    runner.validate(model, loader())
    assert vars(model.net)["forward"] is mine
    assert close(logged(runner), "val", model.naive("val"))


def test_a_copy_of_the_module_made_in_a_run_has_the_weights_of_the_copy():
    class Copies(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            self.copy = copy.deepcopy(pl_module)

    copies = Copies()
    trainer(copies, monitor(model="net")).fit(Silent(), loader(), loader())
    with torch.no_grad():
        copies.copy.net.weight.zero_()
        copies.copy.net.bias.zero_()
        assert not copies.copy.net(torch.ones(1, 3, 6, 5)).any()


@pytest.mark.parametrize("module", [Silent, Manual])
def test_nothing_of_a_step_is_kept_alive(module):
    class Watch(Callback):
        """Counts what is alive of earlier batches when the next one starts: predictions, or their memory."""

        def __init__(self) -> None:
            self.found: list[Any] = []
            self.alive = 0

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            ((scores, _),) = pl_module.seen["train", 0].values()
            self.found += [weakref.ref(scores), StorageWeakRef(scores.untyped_storage()), weakref.ref(batch[1])]
            pl_module.seen.clear()

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            gc.collect()
            alive = [not ref.expired() if isinstance(ref, StorageWeakRef) else ref() is not None for ref in self.found]
            self.alive += sum(alive)

    watch = Watch()
    trainer(watch, monitor(model="net", calls="last")).fit(module(lr=0.1), loader(batch_size=2), loader(2))
    assert len(watch.found) == 12
    assert watch.alive == 0


def test_scores_are_not_copied(monkeypatch):
    """What is counted has the memory of what the network returned."""
    counted: list[int] = []
    update = Measures.update
    monkeypatch.setattr(
        Measures,
        "update",
        lambda self, preds, *rest: (counted.append(preds.data_ptr()), update(self, preds, *rest)),
    )
    model = Silent()
    trainer(monitor(model="net")).validate(model, loader())
    assert counted == [scores.data_ptr() for scores, _ in model.seen["val", 0].values()]


# ---- with other arguments


def test_what_metrics_take_beside_is_found_in_the_batch():
    class Named(DictBatches):
        form = staticmethod(lambda x, y: {"image": x, "mask": y, "ids": [str(float(one.sum())) for one in x]})

    metric = ImagewiseIoU(CLASSES, ignore_index=IGNORED, worst=30)
    runner = trainer(monitor(model="net", metrics={"low": metric}))
    runner.validate(Named(), loader())
    model = Tiny()
    with torch.no_grad():
        for image, target in samples(7):
            metric.update(model.net(image[None]), target[None], ids=[str(float(image.sum()))])
    assert {key for key in logged(runner) if "low" in key}
    assert any(abs(value - float(metric.compute())) < 1e-6 for key, value in logged(runner).items() if "low" in key)


def test_two_monitors_of_one_network_with_prefixes():
    fine, coarse = monitor(model="net"), monitor(model="net", prefix="coarse/", groups={"a": [0, 1], "b": [2, 3]})
    runner = trainer(fine, coarse, max_epochs=2)
    model = Silent(lr=0.1)
    for _ in range(2):  # the callbacks end in the order in which they began
        runner = trainer(fine, coarse)
        runner.fit(model, loader(batch_size=2), loader(batch_size=2))
    assert logged(runner).keys() == {
        f"{prefix}{stage}/{name}"
        for prefix in ("", "coarse/")
        for stage in ("train", "val")
        for name in ("mIoU", "Dice")
    }
    alone = MeanIoU(CLASSES, ignore_index=IGNORED, groups={"a": [0, 1], "b": [2, 3]})
    for scores, target in model.seen["val", 0].values():
        alone.update(scores, target)
    assert logged(runner)["coarse/val/mIoU"] == float(alone.compute())
    assert close(logged(runner), "val", model.naive("val"))
    assert "forward" not in vars(model.net)
    assert not {"training_step", "validation_step"} & vars(runner.strategy).keys()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": 3}, TypeError, 'model must be the name of a submodule, or "" for the module itself, got 3'),
        ({"model": "", "preds": "out"}, TypeError, "preds must be a function of what the model returns, got 'out'"),
        ({"model": "", "calls": "all"}, ValueError, 'calls must be "first" or "last", got \'all\''),
        (
            {"model": "", "target": 1.5},
            TypeError,
            "target must be a key or an index of the batch, or a function of it, got 1.5",
        ),
        (
            {"model": "", "target": True},
            TypeError,
            "target must be a key or an index of the batch, or a function of it, got True",
        ),
        (
            {"target": "mask"},
            ValueError,
            "target='mask' goes with model=, the name of the network whose calls give the predictions: pass model as "
            "well, or outputs=function(outputs, batch) -> (preds, target) for what the steps return",
        ),
        (
            {"model": "net", "outputs": len},
            ValueError,
            "model='net' takes predictions from a call and outputs= from what the steps return: pass one of them",
        ),
        ({"prefix": None}, TypeError, 'prefix must be a string, such as "coarse/", got None'),
    ],
)
def test_bad_arguments_raise_at_once(arguments, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        SegmentationMonitor(CLASSES, **arguments)
