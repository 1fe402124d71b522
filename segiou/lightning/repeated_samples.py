"""Which samples of a batch are real: a DistributedSampler repeats samples so that every rank has as many."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import BatchSampler, DistributedSampler
from torchmetrics.utilities import rank_zero_warn


class RealSamples:
    """Cuts the repeated samples off the batches of one stage.

    Rank r of R has the samples r, r + R, r + 2R, ... of the N that the sampler orders, so its first
    ``len(range(r, N, R))`` are real, and those after them are repeats.
    """

    def __init__(self, stage: str, loaders: Sequence[Any], sequential: bool) -> None:
        self._stage = stage
        self._loaders = loaders
        self._known = sequential
        self._warned = False

    def kept(self, preds: Any, target: Any, batch_idx: int, loader: int) -> int | None:
        """How many samples of a batch are real; None for all, and a warning where they cannot be told apart."""
        padded = [found for found in map(_padded_sampler, self._loaders) if found is not None]
        sampler = _padded_sampler(self._loaders[loader]) if self._known else next(iter(padded), None)
        if sampler is None:
            return None
        size = _batch_size(self._loaders[loader]) if self._known else None
        start = batch_idx * (size or 0)
        if size is None or len(target) != min(size, sampler.num_samples - start) or len(preds) != len(target):
            self._warn()
            return None
        keep = max(0, len(range(sampler.rank, len(sampler.dataset), sampler.num_replicas)) - start)
        return None if keep >= len(target) else keep

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            rank_zero_warn(
                f"the {self._stage} loader's DistributedSampler repeats samples to give every process as many, and "
                "they cannot be told apart here, so they are counted twice: return one target per sample from an "
                "in-order loader with a batch size, or use a sampler that does not repeat",
                UserWarning,
            )


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
