"""The base of the twins: areas of each image, summed or averaged over images in an integer state."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.counting import Counted, Rules
from segiou.counting.inputs import NAN
from segiou.counting.value_errors import has_bad, nan_text, total_error
from segiou.metrics.image_means import means_of, sums_of
from segiou.metrics.pixels import here
from segiou.metrics.state import SummedStates
from segiou.scoring.formulas import Areas
from segiou.segmentation.inputs import InputFormat, Masks


class SegmentationTwin(SummedStates):
    """A mean over images of ``scores``; a subclass says what an image's scores are.

    Args:
        masks: how preds and target are read.
        name: of the state; equal exactly where the sums of every batch are.
        width: how many scores an image has, or 1 for one score.
        kwargs: torchmetrics' own.
    """

    higher_is_better = True
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    plot_legend_name = "Class"

    errors: Tensor

    def __init__(self, masks: Masks, name: str, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.masks = masks
        self._name = f"{name}_{masks.identity}"
        self._rules: Rules | None = None
        self._warned_of_nan = False
        self.add_sums(width)
        self.add_state("errors", torch.zeros(4, dtype=torch.int64), "sum")

    def add_sums(self, width: int) -> None:
        """Add the state: sums over images of each score, and how many images have it."""
        self.add_state(self._name, torch.zeros(2, width, dtype=torch.int64), "sum")

    def scores(self, areas: Areas) -> Tensor:
        """The scores of each image, float64 ``(N, width)``; nan where an image has none."""
        raise NotImplementedError

    def summed(self, areas: Areas) -> Any:
        """What the areas of a batch ``(N, K)`` add to the state."""
        return sums_of(self.scores(areas))

    def value(self) -> Tensor:
        """The value of the state, float64."""
        return means_of(getattr(self, self._name))

    @property
    def num_classes(self) -> int | None:
        """The number of classes; None where it is not known yet."""
        return self.masks.num_classes

    @property
    def include_background(self) -> bool:
        """Whether class 0 is scored."""
        return self.masks.include_background

    @property
    def input_format(self) -> InputFormat:
        """What preds and target are."""
        return self.masks.input_format

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ids of the classes that are scored."""
        return tuple(map(str, self.masks.scored))

    def update(self, preds: Any, target: Any) -> None:
        """Count one batch.

        Args:
            preds: as ``input_format`` says: one-hot maps or scores ``(N, C, ...)``, or labels ``(N, ...)``.
            target: likewise.

        Raises:
            ValueError: input that does not fit; labels outside the classes, or one-hot maps of other values than 0
                and 1 (on an accelerator ``compute`` raises that). The state is then as before.
            TypeError: input that is no tensor or array.
        """
        super().update(preds, target)

    def batch_states(self, preds: Any, target: Any) -> dict[str, Any]:
        """The sums of one batch, and its errors."""
        found = self.masks.areas(preds, target)
        areas, errors = here(Counted(torch.stack(found.areas), found.errors), self.errors.device)
        summed = self.summed(Areas(*areas))
        self._rules = found.rules
        return {self._name: summed, "errors": errors}

    def compute(self) -> Tensor:
        """The value over all images, and over all processes; float32.

        Raises:
            ValueError: bad values that were counted on an accelerator.
        """
        self.check(self.errors)
        return self.value().float()

    def check(self, errors: Tensor) -> None:
        """Raise for bad values that were counted, and warn of nan scores, once until ``reset``."""
        found = errors.tolist()
        if has_bad(found):
            raise total_error(found, self._rules or Rules.of(self.num_classes or 2))
        if found[NAN] and not self._warned_of_nan:
            rank_zero_warn(nan_text(found[NAN]), UserWarning, stacklevel=4)
            self._warned_of_nan = True

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self._warned_of_nan = False

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one value or several over time, as torchmetrics does; needs matplotlib."""
        return self._plot(val, ax)
