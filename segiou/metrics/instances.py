"""IoU in which every instance of a class weighs the same, however large it is."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import integer
from segiou.counting import IgnoreIndex
from segiou.counting.inputs import batches
from segiou.counting.predicted import predicted
from segiou.counting.tensors import tensor, unwrapped
from segiou.counting.torch_compile import uncompiled
from segiou.labels import LabelSet
from segiou.labels.checks import sizes_of
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import InstanceArguments
from segiou.metrics.score_metric import ScoreMetric
from segiou.metrics.state import SummedStates
from segiou.metrics.synced_metrics import synced_as_computed
from segiou.scoring import formulas
from segiou.scoring.averaging import Score
from segiou.scoring.class_scores import Column
from segiou.scoring.class_table import ClassTable
from segiou.scoring.formulas import Areas

UNIT = 2.0**36  # shares of instances are summed as integers of this fraction: in any order, and exactly


class InstanceIoU(ScoreMetric):
    """Instance-weighted IoU, "iIoU": iTP / (iTP + FP + iFN), averaged over the classes that have instances.

    The pixels of an instance weigh the average size of an instance of its class over its own size, so that a
    small car counts as much as a large one. False alarms have no instance, and weigh 1. With ``groups`` a pixel
    is right where the group is (Cityscapes' categories); the groups must hold each class at most once.

    Args:
        num_classes: the number of classes, or a label set.
        sizes: the average size of an instance in pixels by class name or id, for the classes that have
            instances; None takes those of the label set ("cityscapes" has them), or else the averages of the data,
            and the classes of which an instance was seen.
        first_id: values of the instance map below it are no instance: 1000 for Cityscapes' instanceIds, where
            smaller ones are classes and crowds.
        task: "multiclass", the only task that has instances.

    Finding instances makes an accelerator wait. Source: Cordts et al. 2016, "The Cityscapes Dataset for Semantic
    Urban Scene Understanding", section 4.1.

    Raises:
        ValueError: sizes of unknown classes or that are no positive numbers, groups that overlap, another task.

    >>> import torch
    >>> from segiou import InstanceIoU
    >>> target = torch.tensor([[0, 1, 1, 1, 1, 1, 0, 0]])
    >>> instances = torch.tensor([[0, 1, 1, 1, 1, 2, 0, 0]])
    >>> preds = torch.tensor([[0, 1, 1, 1, 1, 0, 0, 0]])
    >>> metric = InstanceIoU(num_classes=2)
    >>> metric.update(preds, target, instances)
    >>> metric.compute()
    tensor(0.5000)
    """

    score = Score("iIoU", formulas.iou)

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        sizes: Mapping[str | int, float] | None = None,
        first_id: int = 1,
        task: Literal["multiclass"] = "multiclass",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        **kwargs: Unpack[InstanceArguments],
    ) -> None:
        if task != "multiclass":
            raise ValueError(f'InstanceIoU is of task="multiclass", got task={task!r}')
        super().__init__(num_classes, ignore_index=ignore_index, validate_args=validate_args, **kwargs)
        every = [c for ids in self.classes.members for c in ids]
        if len(every) != len(set(every)):
            raise ValueError("InstanceIoU needs groups that hold each class at most once")
        self.sizes = _sizes(num_classes, sizes, self.class_names)
        self.first_id = integer("first_id", first_id)
        settings = repr((self.first_id, self.classes.members))
        self._instances_name = f"instances_{hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()}"
        shape = (3, self.rules.num_classes)
        self.add_state(self._instances_name, torch.zeros(shape, dtype=torch.int64), "sum")

    @property
    def has_areas(self) -> bool:
        """Its areas are those of instances, and do not follow from a matrix."""
        return False

    @property
    def instances(self) -> Tensor:
        """For each class, int64 ``(3, C)``: the sum of the right shares in 2^-36, instances, and their pixels."""
        state: Tensor = getattr(self, self._instances_name)
        return state

    def update(self, preds: Any, target: Any, instances: Any) -> None:  # type: ignore[override]
        """Count one batch.

        Args:
            preds: as ``MeanIoU.update`` takes them.
            target: integer labels ``(N, ...)``.
            instances: integers of the target's shape; pixels of one image with the same value and class
                are one instance, values below ``first_id`` are none. A list where ``preds`` or the target is one.

        Raises:
            ValueError: input that does not fit.
            TypeError: input that is no tensor or array of integers.
        """
        SummedStates.update(self, preds, target, instances)

    def update_confmat(self, confmat: Any) -> None:
        """Raise TypeError: no confusion matrix holds the instances that are scored."""
        raise TypeError("InstanceIoU cannot be scored from a confusion matrix, which holds no instances: pass pixels")

    def batch_states(  # type: ignore[override]
        self, preds: Any, target: Any, instances: Any
    ) -> dict[str, Tensor]:
        """The counts of one batch, its errors, and what it holds of instances."""
        several = any(isinstance(images, list | tuple) for images in (unwrapped(preds), target))
        maps = [tensor("instances", part) for part in (instances if several else [instances])]
        found = list(batches(preds, target, self.rules))
        wanted = [batch.target.shape[1:] if several else batch.target.shape for batch in found]
        whole = all(not part.is_floating_point() and not part.is_complex() for part in maps)
        if [part.shape for part in maps] != wanted or not whole:
            raise ValueError(
                f"instances must be integers of the shape of target, {[tuple(shape) for shape in wanted]}, got "
                f"{[(tuple(part.shape), str(part.dtype)) for part in maps]}"
            )
        states = super().batch_states(preds, target)
        total = torch.zeros_like(self.instances)
        for batch, part in zip(found, maps, strict=True):
            images = part.unsqueeze(0) if several else part
            for labels, truth, ids in zip(predicted(batch, self.rules), batch.target, images, strict=True):
                total += self._of_image(labels, truth, ids.to(truth.device))
        return {**states, self._instances_name: total}

    def _of_image(self, labels: Tensor, target: Tensor, ids: Tensor) -> Tensor:
        """Right shares, instances and pixels for each class, of one image."""
        classes = self.rules.num_classes
        beyond = ids.dtype == torch.uint64  # what is above 2^63 turns negative, and stays different
        ids, target, labels = ids.long(), target.long(), labels.long()
        counted = ((ids >= self.first_id) | (beyond & (ids < 0))) & (target >= 0) & (target < classes)
        for value in self.rules.ignore_index:
            counted &= target != value
        target, labels = target[counted], labels[counted]
        _, place = torch.unique(ids[counted], return_inverse=True)  # far faster than of pairs
        found, index = torch.unique(place * classes + target, return_inverse=True)
        of = found % classes
        right = self._merged(labels) == self._merged(target)
        size = torch.bincount(index, minlength=len(of))
        share = torch.bincount(index[right], minlength=len(of)) / size.double()
        rows = torch.stack([(share * UNIT).round().long(), torch.ones_like(size), size])
        return rows.new_zeros(3, classes).index_add_(1, of, rows)

    def _merged(self, labels: Tensor) -> Tensor:
        """Labels of which those of one group are equal; a label outside the classes is equal to none inside."""
        classes = self.rules.num_classes
        first = list(range(classes + 1))
        for ids in self.classes.members:
            for c in ids:
                first[c] = ids[0]
        outside = (labels < 0) | (labels >= classes)
        return torch.tensor(first, device=labels.device)[labels.masked_fill(outside, classes)]

    @uncompiled
    def compute(self) -> Tensor:
        """The average of the classes that have instances, float32; nan where none has."""
        self.check(self.errors)
        return self.score(self._weighted(self.confmat, self.instances), self.averaging)

    def _weighted(self, counts: Tensor, instances: Tensor) -> Areas:
        """Areas in which each pixel of an instance has its weight; of classes without instances nothing."""
        shares, number, pixels = formulas.floating(Areas(*instances))
        average = (pixels / number).nan_to_num(0)
        if self.sizes is not None:
            average = torch.tensor([self.sizes.get(c, 0.0) for c in range(len(number))]).to(average)
        members = self.classes.members or [[c] for c in range(len(number))]
        right, whole = (
            torch.stack([part[ids].sum() for ids in members]) for part in (shares / UNIT * average, number * average)
        )
        plain = formulas.floating(self.areas(counts))
        has = torch.stack([average[ids].sum() > 0 for ids in members])
        false_alarms = (plain.predicted - plain.intersection).masked_fill(~has, 0)
        return Areas(right, right + false_alarms, whole)

    def table(self, *, percent: bool = False, digits: int | None = None) -> ClassTable:
        """The instance-weighted IoU of each class beside its plain scores; see ``MeanIoU.table``."""
        with synced_as_computed(self):
            self.check(self.errors)
            counts, instances = self.confmat, self.instances
        table = self.table_of(counts, percent=percent, digits=digits)
        areas, how = self._weighted(counts, instances), self.averaging
        own = self.score(areas, replace(how, average=None) if how.average == "none" else how)
        members = self.classes.members or [[c] for c in range(self.rules.num_classes)]
        number = tuple(int(instances[1, ids].sum()) for ids in members)
        table = table.with_column(self.key, Column.of(self.score.per_class(areas, how).tolist(), float(own)))
        return replace(
            table,
            counts={**table.counts, "instances": number},
            totals={**table.totals, "instances": sum(number)},
        )

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot the score of each class or group as bars, or values over time; see ``MeanIoU.plot``."""
        if val is not None:
            return super().plot(val, ax)
        with synced_as_computed(self):
            self.check(self.errors)
            areas = self._weighted(self.confmat, self.instances)
        value = self.score(areas, self.averaging)
        scores = self.score.per_class(areas, self.averaging)
        return self._bars(scores, None if value.ndim else float(value), ax, "no instances")


def _sizes(
    num_classes: NumClasses, sizes: Mapping[str | int, float] | None, names: tuple[str, ...]
) -> dict[int, float] | None:
    """The given sizes by class id, or those of the label set; None where there are none."""
    if sizes is not None:
        return sizes_of("sizes", sizes, names)
    known = LabelSet.of(num_classes).instance_sizes if isinstance(num_classes, str | LabelSet) else {}
    return dict(known) or None
