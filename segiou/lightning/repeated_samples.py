"""Which samples of a batch are real, and not repeats of samples that the loaders have given before.

A DistributedSampler repeats samples so that every rank has as many, and a CombinedLoader of mode "max_size_cycle"
starts its shorter loaders anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import BatchSampler, DistributedSampler
from torchmetrics.utilities import rank_zero_warn


class RealSamples:
    """Cuts the repeated samples off the batches of one stage.

    Rank r of R has the samples r, r + R, r + 2R, ... of the N that the sampler orders, so its first
    ``len(range(r, N, R))`` are real, and those after them are repeats.

    Args:
        stage: the stage, for warnings.
        loaders: the data loaders, as Lightning has prepared them.
        sequential: whether they come one after the other, and not combined into one batch.
        cycled: whether, combined, the shorter ones start anew until the longest has ended.
        resumed: whether batches are numbered on from an earlier run, while the loaders may have started anew.
    """

    def __init__(
        self, stage: str, loaders: Sequence[Any], sequential: bool, *, cycled: bool = False, resumed: bool = False
    ) -> None:
        self._stage = stage
        self._loaders = loaders
        self._sequential = sequential
        self._resumed = resumed
        self._lengths = [_length(loader) for loader in loaders] if cycled and not sequential else []
        self._warned: set[str] = set()

    def kept(
        self, preds: Any, target: Any, batch_idx: int, loader: int, batch: Any = None, in_batch: Any = None
    ) -> int | None:
        """How many samples of a batch are real; None for all, and a warning where they cannot be told apart.

        Args:
            preds: predictions.
            target: labels.
            batch_idx: the number of the batch.
            loader: the loader that gave it, where they are sequential.
            batch: the batch, in which the loader that gave the target is looked for where they are combined.
            in_batch: the labels as they are in the batch, where ``target`` is a copy.
        """
        found: int | None = loader
        if not self._sequential:
            found = _loader_of(batch, target if in_batch is None else in_batch, len(self._loaders))
        known = None if self._resumed else found
        return 0 if self._repeated(known, batch_idx) else self._kept_of_padded(preds, target, batch_idx, known)

    def _repeated(self, loader: int | None, batch_idx: int) -> bool:
        """Whether the loader has started anew before this batch."""
        if len(set(self._lengths)) < 2 and None not in self._lengths:
            return False
        length = None if loader is None else self._lengths[loader]
        if length is None and batch_idx >= min(known or 0 for known in self._lengths):
            self._warn(
                f'the {self._stage} loaders are combined in mode "max_size_cycle", which starts shorter ones anew, and '
                "the samples that it repeats cannot be told apart here, so they are counted again: let the target be "
                'a tensor of the batch, from a loader with a length, or combine the loaders in mode "min_size"'
            )
        return length is not None and batch_idx >= length

    def _kept_of_padded(self, preds: Any, target: Any, batch_idx: int, loader: int | None) -> int | None:
        padded = [found for found in map(_padded_sampler, self._loaders) if found is not None]
        sampler = next(iter(padded), None) if loader is None else _padded_sampler(self._loaders[loader])
        if sampler is None:
            return None
        size = None if loader is None else _batch_size(self._loaders[loader])
        start = batch_idx * (size or 0)
        if size is None or len(target) != min(size, sampler.num_samples - start) or len(preds) != len(target):
            self._warn(
                f"the {self._stage} loader's DistributedSampler repeats samples to give every process as many, and "
                "they cannot be told apart here, so they are counted twice: return one target per sample from an "
                "in-order loader with a batch size, or use a sampler that does not repeat"
            )
            return None
        keep = max(0, len(range(sampler.rank, len(sampler.dataset), sampler.num_replicas)) - start)
        return None if keep >= len(target) else keep

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            rank_zero_warn(text, UserWarning)


def loaders_of(stage: str, trainer: Any) -> tuple[list[Any], str]:
    """The data loaders of a stage, as Lightning has prepared them, and the mode in which they are combined."""
    if stage == "train":
        loop = trainer.fit_loop
    elif stage == "test":
        loop = trainer.test_loop
    else:  # trainer.val_dataloaders prefers those of fit, also under trainer.validate
        loop = trainer.validate_loop if trainer.state.fn == "validate" else trainer.fit_loop.epoch_loop.val_loop
    combined = loop._combined_loader
    return list(combined.flattened), "sequential" if len(combined.flattened) == 1 else combined._mode


def _loader_of(batch: Any, target: Any, loaders: int) -> int | None:
    """Which of several combined loaders gave the target, or what it is a view of; None where that is not known."""
    parts = list(batch.values()) if isinstance(batch, Mapping) else batch
    if not isinstance(target, Tensor) or not isinstance(parts, tuple | list) or len(parts) != loaders:
        return None
    memory = target.untyped_storage().data_ptr()
    found = [index for index, part in enumerate(parts) if memory in set(_memory(part))]
    return found[0] if len(found) == 1 else None


def _memory(part: Any) -> Iterator[int]:
    """Where the tensors of a batch are."""
    if isinstance(part, Tensor):
        yield part.untyped_storage().data_ptr()
    elif isinstance(part, Mapping | tuple | list):
        for inner in part.values() if isinstance(part, Mapping) else part:
            yield from _memory(inner)


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


def _padded_sampler(loader: Any) -> Any:
    """The loader's DistributedSampler if it repeats samples, else None."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    for sampler in (getattr(loader, "sampler", None), getattr(batch_sampler, "sampler", None)):
        if isinstance(sampler, DistributedSampler):
            padded = sampler.total_size > len(sampler.dataset)  # type: ignore[arg-type]
            return sampler if padded else None
    return None


def _batch_size(loader: Any) -> int | None:
    """The batch size, if batches of that size come in the sampler's order."""
    in_order = getattr(loader, "in_order", True) or loader.num_workers == 0
    batches = loader.batch_sampler
    return batches.batch_size if in_order and type(batches) is BatchSampler else None
