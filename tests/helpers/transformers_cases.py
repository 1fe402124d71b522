"""A stand-in for a segmentation model, its data, and evaluations by a real Trainer."""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from segiou import ImagewiseIoU, MeanIoU
from segiou.transformers import compute_metrics
from tests.helpers import oracle

CLASSES, IGNORED, SIZE = 4, 255, (6, 5)


class Samples(torch.utils.data.Dataset):
    """Low score maps, and labels of which some are ignored; each sample is made of its number."""

    def __init__(
        self,
        length: int,
        size: Callable[[int], tuple[int, int]] = lambda index: SIZE,
        ignored: Callable[[int], int] = lambda index: index % 3,
    ) -> None:
        self.length, self.size, self.ignored = length, size, ignored

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = torch.Generator().manual_seed(index)
        labels = torch.randint(CLASSES, self.size(index), generator=random)
        labels[0, : self.ignored(index)] = IGNORED
        return {"maps": torch.randn(CLASSES, 3, 2, generator=random), "labels": labels}


class Given(nn.Module):
    """Gives back the maps that it is given, as logits, once its one weight, which starts at 1, has multiplied them."""

    def __init__(self, auxiliary: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.auxiliary = auxiliary

    def forward(self, maps: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = maps * self.weight
        upsampled = F.interpolate(logits, labels.shape[-2:], mode="bilinear")
        loss = F.cross_entropy(upsampled, labels.clamp(max=CLASSES), ignore_index=CLASSES)
        return {"loss": loss, "logits": logits, **({"auxiliary": -logits} if self.auxiliary else {})}


def trainer(folder: Path, measure: Any, length: int = 7, model: nn.Module | None = None, **arguments: Any) -> Trainer:
    """A Trainer on the CPU that evaluates ``length`` samples, two at a time on each process."""
    data = arguments.pop("data", None) or Samples(length)
    settings = {
        "per_device_eval_batch_size": 2,
        "per_device_train_batch_size": 2,
        "batch_eval_metrics": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "report_to": [],
        "disable_tqdm": True,
        "save_strategy": "no",
        **arguments,
    }
    args = TrainingArguments(str(folder), **settings)
    return Trainer(model or Given(), args, train_dataset=Samples(4), eval_dataset=data, compute_metrics=measure)


def naive(data: Samples, sign: int = 1) -> list[list[int]]:
    """The counts of all samples, one pixel at a time."""
    counts = [[0] * (CLASSES + 1) for _ in range(CLASSES + 1)]
    for index in range(len(data)):
        sample = data[index]
        scores = F.interpolate(sign * sample["maps"][None], sample["labels"].shape, mode="bilinear")
        found = oracle.matrix(oracle.argmax(scores), oracle.pixels(sample["labels"]), CLASSES, (IGNORED,))
        counts = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(counts, found, strict=True)]
    return counts


def measured(scores: dict[str, float]) -> dict[str, float]:
    """What the metric has given, without losses and times."""
    others = {"loss", "runtime", "samples_per_second", "steps_per_second", "model_preparation_time"}
    return {name: value for name, value in scores.items() if name[:5] == "eval_" and name[5:] not in others}


# ---- cases for one process and for several


def by_batch(folder: Path) -> Any:
    return measured(trainer(folder, compute_metrics(CLASSES, ignore_index=IGNORED, per_class=True)).evaluate())


def twice(folder: Path) -> Any:
    again = trainer(folder, compute_metrics(CLASSES, ignore_index=IGNORED, per_class=True))
    again.evaluate()
    return measured(again.evaluate())


def at_once(folder: Path) -> Any:
    measure = compute_metrics(CLASSES, ignore_index=IGNORED, per_class=True)
    return measured(trainer(folder, measure, batch_eval_metrics=False).evaluate())


class PixelCount(MeanIoU):
    """The number of pixels, which a sum over processes would change, as it would not change a ratio."""

    def value_of(self, counts: Tensor) -> Tensor:
        return counts.sum()


def pixel_count(folder: Path) -> Any:
    metric = PixelCount(CLASSES, ignore_index=IGNORED, upsample="bilinear")
    return measured(trainer(folder, compute_metrics(metric=metric)).evaluate())


def one_sample(folder: Path) -> Any:
    return measured(trainer(folder, compute_metrics(CLASSES, ignore_index=IGNORED), length=1).evaluate())


def rows(folder: Path) -> Any:
    metric = ImagewiseIoU(CLASSES, ignore_index=IGNORED, upsample="bilinear")
    return measured(trainer(folder, compute_metrics(metric=metric)).evaluate())


def objects(folder: Path) -> Any:
    """Images of different widths, which only objects can gather."""
    data = Samples(6, lambda index: (6, 5 + index % 2))
    measure = compute_metrics(CLASSES, ignore_index=IGNORED)
    arguments = {"eval_use_gather_object": True, "per_device_eval_batch_size": 1}
    return measured(trainer(folder, measure, data=data, **arguments).evaluate())


def trained(folder: Path) -> Any:
    """Scores at the end of two epochs, of weights that a learning rate of 0 leaves as they were."""
    measure = compute_metrics(metric=MeanIoU(CLASSES, ignore_index=IGNORED, upsample="bilinear"))
    training = trainer(folder, measure, eval_strategy="epoch", num_train_epochs=2, learning_rate=0.0)
    training.train()
    return [measured(entry) for entry in training.state.log_history if "eval_mIoU" in entry]


def bad_label(folder: Path) -> Any:
    """The error for a sample of the second batch, and an evaluation after it."""
    measure = compute_metrics(metric=PixelCount(CLASSES, upsample="bilinear"))
    try:
        trainer(folder, measure, data=Samples(7, ignored=lambda index: index == 5)).evaluate()
    except ValueError as error:
        message = str(error)
    return message, measured(trainer(folder, measure, data=Samples(7, ignored=lambda index: 0)).evaluate())


def padded(folder: Path) -> Any:
    """Labels of different heights: two processes pad the lower ones with -100."""
    data = Samples(6, lambda index: (6 + index % 2, 5))
    measure = compute_metrics(CLASSES, ignore_index=[IGNORED, -100])
    try:
        return measured(trainer(folder, measure, data=data, per_device_eval_batch_size=1).evaluate())
    except ValueError as error:
        return str(error)


class Endless(torch.utils.data.IterableDataset):
    """Samples whose number is not known."""

    def __init__(self, length: int) -> None:
        self.samples = Samples(length)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return map(self.samples.__getitem__, range(len(self.samples)))


def pixels_of_endless(folder: Path, **settings: Any) -> Any:
    measure = compute_metrics(metric=PixelCount(CLASSES, ignore_index=IGNORED, upsample="bilinear"))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        scores = measured(trainer(folder, measure, data=Endless(5), accelerator_config=settings).evaluate())
    return scores, [str(warning.message) for warning in seen if "repeated" in str(warning.message)]


def endless(folder: Path) -> Any:
    return pixels_of_endless(folder)


def repeated(folder: Path) -> Any:
    """Two processes repeat samples, and there is no length to know them by."""
    return pixels_of_endless(folder, dispatch_batches=False)


def dropped(folder: Path) -> Any:
    """Samples that do not fill a batch are left out, on purpose."""
    measure = compute_metrics(metric=PixelCount(CLASSES, ignore_index=IGNORED, upsample="bilinear"))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        scores = measured(trainer(folder, measure, dataloader_drop_last=True).evaluate())
    return scores, [str(warning.message) for warning in seen if "repeated" in str(warning.message)]


SAME = [by_batch, twice, at_once, pixel_count, one_sample, rows, objects, trained, bad_label, endless]
OTHER = [padded, repeated, dropped]

if __name__ == "__main__":
    results = {case.__name__: case(Path(sys.argv[1])) for case in [*SAME, *OTHER]}
    (Path(sys.argv[1]) / f"rank{torch.distributed.get_rank()}.json").write_text(json.dumps(results))
    torch.distributed.destroy_process_group()
