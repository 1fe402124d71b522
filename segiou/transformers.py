"""``compute_metrics``: scores for the Trainer of Hugging Face transformers, counted batch by batch.

The Trainer gathers the logits and labels of a batch from all processes, leaves out the samples that were repeated
to fill the last batch, and hands the same tensors to every process. So each process counts all of them, and no
sum over processes is taken here: it would count every pixel once for each process.
"""

import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.counting.rules import Upsample
from segiou.counting.tensors import unwrapped
from segiou.labels.class_names import NumClasses
from segiou.metrics.named_values import scalars, scored_names
from segiou.metrics.scores import SegmentationMetrics
from segiou.metrics.state import SummedStates

Outputs = Callable[[Any], tuple[Any, Any]]
PADDING = -100  # what the Trainer fills labels with on axis 1, where they differ between processes or batches


def compute_metrics(
    num_classes: NumClasses = None,
    *,
    metric: SummedStates | None = None,
    upsample: Upsample | None = "bilinear",
    outputs: Outputs | None = None,
    **kwargs: Any,
) -> "BatchMetrics":
    """What ``Trainer(compute_metrics=...)`` takes, to be used with ``TrainingArguments(batch_eval_metrics=True)``.

    Each batch is counted when it comes and nothing of it is kept. Logits ``(N, C, h, w)`` of another size than the
    labels ``(N, H, W)`` are interpolated inside the count, as ``post_process_semantic_segmentation`` of transformers
    does it. Without ``batch_eval_metrics`` it gives the same scores, but the Trainer keeps all logits until the end.

    The log has ``eval_mIoU``, ``eval_Dice``, ``eval_MeanAccuracy``, ``eval_PixelAccuracy`` and the other scores of
    ``segiou.SegmentationMetrics``, for ``metric_for_best_model="eval_mIoU"`` too. ``per_class=True`` adds
    ``eval_IoU/<name>`` for each class. ``trainer.predict`` has ``test_`` in place of ``eval_``.

    Args:
        num_classes: C, or a ``LabelSet``, or the name of one, such as "ade20k".
        metric: a metric of segiou to use in place of ``SegmentationMetrics``; it is copied, and neither changed nor
            synced. Its value is logged under its name, and for each class where it has a value for each.
        upsample: "bilinear", "nearest", or None where the logits must have the size of the labels.
        outputs: a function of the ``EvalPrediction`` that gives ``(preds, target)`` as ``update`` of the metric
            takes them. Where None, predictions and label_ids are taken, of tuples the first element: logits that
            come before auxiliary logits or hidden states.
        kwargs: arguments of ``SegmentationMetrics``, such as ``ignore_index``, ``per_class``, ``class_names`` or
            ``exclude``. Labels outside the classes are an error: 255 needs ``ignore_index=255``, and -100
            ``ignore_index=-100``. ``labels - 1``, as ``do_reduce_labels`` of image processors has it, makes 255 of 0.

    Returns:
        A callable of ``(EvalPrediction, compute_result)`` that returns a dict of floats once ``compute_result`` is
        true or left out, an empty one before that. It then starts again, as it does after an error.

    Raises:
        ValueError: arguments outside their choices; ``metric`` together with arguments of a metric.
        TypeError: a metric that is not of segiou, ``outputs`` that is no function.

    >>> import torch
    >>> from types import SimpleNamespace
    >>> from segiou.transformers import compute_metrics
    >>> measure = compute_metrics(num_classes=2, ignore_index=255)
    >>> logits = torch.tensor([[[[2.0]], [[1.0]]]])  # (1, 2, 1, 1): class 0 everywhere
    >>> batch = SimpleNamespace(predictions=logits, label_ids=torch.tensor([[[0, 0, 1, 255]]]))
    >>> measure(batch, compute_result=False)
    {}
    >>> round(measure(batch, compute_result=True)["PixelAccuracy"], 4)
    0.6667
    """
    if metric is None:
        metric = SegmentationMetrics(num_classes, upsample=upsample, **kwargs)
    elif num_classes is not None or kwargs or upsample != "bilinear":
        raise ValueError("metric has arguments of its own: give num_classes, upsample and others to it")
    if not isinstance(metric, SummedStates):
        raise TypeError(f"metric must be one of segiou's, got {metric!r}")
    if outputs is not None and not callable(outputs):
        raise TypeError(f"outputs must be a function of an EvalPrediction, got {outputs!r}")
    return BatchMetrics(metric, outputs or first)


def first(eval_pred: Any) -> tuple[Any, Any]:
    """The predictions and label_ids, of tuples the first element."""
    preds, target = (
        given[0] if type(given) is tuple and given else given for given in (eval_pred.predictions, eval_pred.label_ids)
    )
    return preds, target


class BatchMetrics:
    """Counts the batches of one evaluation after another; made by ``compute_metrics``.

    Attributes:
        metric: what has been counted of an evaluation that is under way.
    """

    def __init__(self, metric: SummedStates, outputs: Outputs) -> None:
        self.metric = metric.clone()
        self.metric.reset()
        self.metric.sync_on_compute = self.metric._to_sync = False
        self.outputs = outputs
        self._loader: Callable[[], Any] = _no_loader
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing was counted yet
            self._scores()  # raises now, not after an evaluation, where the value is none to log
        self.metric.reset()

    def __call__(self, eval_pred: Any, compute_result: bool | None = None) -> dict[str, float]:
        """Count a batch, or with ``compute_result`` left out all of them at once; the scores at the end."""
        self._forget_what_was_aborted()
        try:
            preds, target = self.outputs(eval_pred)
            _require_no_padding(preds, target, whole=compute_result is None)
            self.metric.to(_device(preds))
            self.metric.update(preds, target)
            if compute_result is not None and not compute_result:
                return {}
            _warn_of_repeated(self._loader())
            scores = self._scores()
        except BaseException:
            self.reset()
            raise
        self.reset()
        return scores

    def reset(self) -> None:
        """Forget all batches."""
        self.metric.reset()
        self._loader = _no_loader

    def _scores(self) -> dict[str, float]:
        scores = scalars(self.metric.compute(), self.metric.key, scored_names(self.metric))
        return {name: float(score) for name, score in scores.items()}

    def _forget_what_was_aborted(self) -> None:
        """Start again where another data loader is read than the one before, whose evaluation has not ended."""
        loader = _active_loader()
        if self.metric.update_called and loader is not self._loader():
            rank_zero_warn("an evaluation was not finished: its batches are left out of the one that begins")
            self.reset()
        self._loader = _no_loader if loader is None else weakref.ref(loader)


def _no_loader() -> None:
    """The data loader outside of the Trainer."""


def _active_loader() -> Any:
    """The data loader that the Trainer reads, one for each evaluation; None outside of it."""
    accelerate = sys.modules.get("accelerate.state")
    return accelerate.GradientState().active_dataloader if accelerate else None


def _several_processes() -> bool:
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return together and torch.distributed.get_world_size() > 1


def _warn_of_repeated(loader: Any) -> None:
    """Warn where the Trainer does not know how many samples of the last batch were repeated."""
    if _several_processes() and getattr(loader, "remainder", 0) == -1 and not getattr(loader, "_drop_last", False):
        rank_zero_warn(
            "the evaluated data set has no length, so samples that were repeated to give each process equally many "
            "are counted again: leave dispatch_batches=False out of accelerator_config, or give the data set a length"
        )


def _device(preds: Any) -> torch.device:
    """Where a tensor, or the first of a list, is; arrays are on the CPU."""
    scores = unwrapped(preds)
    scores = scores[0] if isinstance(scores, list) and scores else scores
    return scores.device if isinstance(scores, Tensor) else torch.device("cpu")


def _require_no_padding(preds: Any, target: Any, whole: bool) -> None:
    """Raise where labels may have been padded, and logits would be stretched over the padding.

    Within one process the Trainer pads only to put all batches together at the end.
    """
    if not whole and not _several_processes():
        return
    preds = unwrapped(preds)
    pairs = zip(preds, target, strict=False) if isinstance(preds, list) else [(preds, target)]
    for scores, labels in pairs:
        resized = labels.ndim > 1 and tuple(scores.shape[-2:]) != tuple(labels.shape[-2:])
        if resized and (labels[..., -1, :] == PADDING).all(-1).any():
            raise ValueError(
                f"labels of shape {tuple(labels.shape)} end in rows of {PADDING}, with which the Trainer pads labels "
                f"of different heights, so logits of shape {tuple(scores.shape)} cannot be brought to their size: "
                f"make all labels of one size, or mark ignored pixels with another value than {PADDING}"
            )
