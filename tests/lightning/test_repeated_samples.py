"""Over all ranks every sample is kept exactly once, however a DistributedSampler deals them out."""

import re
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning.utilities import CombinedLoader
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler

from segiou.lightning.repeated_samples import RealSamples
from tests.helpers.lightning_cases import OF_LIGHTNING, Tiny, close, loader, logged, monitor, naive_of, samples, trainer

pytestmark = OF_LIGHTNING

TWICE = (
    "the val loader's DistributedSampler repeats samples to give every process as many, and they cannot be told apart "
    "here, so they are counted twice: return one target per sample from an in-order loader with a batch size, or use "
    "a sampler that does not repeat"
)


def sampler(number: int, ranks: int, rank: int, **options: Any) -> DistributedSampler[int]:
    return DistributedSampler(range(number), num_replicas=ranks, rank=rank, **options)  # type: ignore[arg-type]


def dealt(
    number: int, ranks: int, rank: int, batch_size: int, drop_last: bool = False, **options: Any
) -> DataLoader[int]:
    """The loader of one rank over the samples 0, 1, ..., as Lightning prepares it."""
    dealer = sampler(number, ranks, rank, **options)
    return DataLoader(range(number), batch_size, sampler=dealer, drop_last=drop_last)  # type: ignore[arg-type]


def kept(loader: Any, real: RealSamples, index: int = 0) -> list[int]:
    """The samples of a loader that count."""
    found = []
    for batch_idx, batch in enumerate(loader):
        found += batch[: real.kept(-batch, batch, batch_idx, index)].tolist()
    return found


@given(
    number=st.integers(1, 30),
    ranks=st.integers(1, 5),
    batch_size=st.integers(1, 9),
    shuffle=st.booleans(),
)
def test_every_sample_once(number, ranks, batch_size, shuffle):
    loaders = [dealt(number, ranks, rank, batch_size, shuffle=shuffle) for rank in range(ranks)]
    found = [index for loader in loaders for index in kept(loader, RealSamples("val", [loader], True))]
    assert sorted(found) == list(range(number))


@given(number=st.integers(1, 30), ranks=st.integers(1, 5), batch_size=st.integers(1, 9))
def test_none_that_the_loader_gives_once_is_lost(number, ranks, batch_size):
    """A loader that drops its last batch leaves samples out itself; of the rest none is lost or repeated."""
    loaders = [dealt(number, ranks, rank, batch_size, drop_last=True) for rank in range(ranks)]
    found = [index for loader in loaders for index in kept(loader, RealSamples("val", [loader], True))]
    given_out = [index for loader in loaders for batch in loader for index in batch.tolist()]
    assert sorted(found) == sorted(set(given_out))


@given(number=st.integers(5, 30), ranks=st.integers(1, 5), batch_size=st.integers(1, 9))
def test_a_sampler_that_drops_samples_repeats_none(number, ranks, batch_size):
    for rank in range(ranks):
        loader = DataLoader(range(number), batch_size, sampler=sampler(number, ranks, rank, drop_last=True))
        assert kept(loader, RealSamples("val", [loader], True)) == [i for batch in loader for i in batch.tolist()]


@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=3), batch_size=st.integers(1, 4))
def test_loaders_in_turn(sizes, batch_size):
    found: list[list[int]] = [[] for _ in sizes]
    for rank in range(2):
        loaders = [dealt(size, 2, rank, batch_size) for size in sizes]
        real = RealSamples("val", loaders, True)
        for index, each in enumerate(loaders):
            found[index] += kept(each, real, index)
    assert [sorted(each) for each in found] == [list(range(size)) for size in sizes]


def test_lists_of_images_are_known_too():
    loader = dealt(7, 2, 1, 4)
    images = [torch.zeros(2, 2), torch.ones(3, 1), torch.ones(1, 1), torch.ones(1, 2)]
    assert RealSamples("val", [loader], True).kept(images, tuple(images), 0, 0) == 3


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(range(7), 2),
        DataLoader(range(7), batch_size=None),
        [torch.arange(3), torch.arange(3, 7)],
        dealt(8, 2, 1, 3),  # nothing to repeat
    ],
    ids=["no sampler", "no batches", "a list", "even"],
)
def test_where_nothing_is_repeated_nothing_is_cut_and_nothing_is_said(loader):
    real = RealSamples("val", [loader], True)
    for batch_idx, _ in enumerate(loader):
        odd = torch.zeros(11)  # samples and targets need not be as many
        assert real.kept(odd, odd, batch_idx, 0) is None


class Reversed(BatchSampler):
    """Batches in an order of its own."""

    def __iter__(self) -> Any:
        return iter(list(super().__iter__())[::-1])


def out_of_order(num_workers: int) -> Any:
    loader = DataLoader(range(7), 2, sampler=sampler(7, 2, 1, shuffle=False), num_workers=num_workers)
    loader.in_order = False  # an argument since torch 2.6
    return loader


def uncertain(name: str) -> tuple[RealSamples, torch.Tensor, torch.Tensor]:
    """A rank's samples, one batch of predictions and its target, where repeats cannot be found."""
    loader, batch = dealt(7, 2, 1, 2), torch.arange(2)
    if name == "several targets a sample":
        return RealSamples("val", [loader], True), torch.arange(4), torch.arange(4)
    if name == "fewer predictions than targets":
        return RealSamples("val", [loader], True), torch.arange(1), batch
    if name == "loaders combined":
        return RealSamples("val", [loader, loader], False), batch, batch
    if name == "workers out of order":
        loader = out_of_order(num_workers=1)
    elif name == "a batch sampler":
        loader = DataLoader(range(7), batch_sampler=Reversed(sampler(7, 2, 1), 2, drop_last=False))
    elif name == "no batch size":
        loader = DataLoader(range(7), None, sampler=sampler(7, 2, 1))
    return RealSamples("val", [loader], True), batch, batch


@pytest.mark.parametrize(
    "name",
    [
        "several targets a sample",
        "fewer predictions than targets",
        "loaders combined",
        "workers out of order",
        "a batch sampler",
        "no batch size",
    ],
)
def test_where_repeats_cannot_be_told_apart_all_are_counted_and_it_says_so_once(name):
    real, preds, target = uncertain(name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for batch_idx in (1, 0, 1):
            assert real.kept(preds, target, batch_idx, 0) is None
    assert [str(one.message) for one in caught] == [TWICE]


def test_out_of_order_matters_only_with_workers():
    loader = out_of_order(num_workers=0)
    assert kept(loader, RealSamples("val", [loader], True)) == [1, 3, 5]


def test_the_one_batch_size_of_a_batch_sampler_over_the_sampler_is_known():
    loader = DataLoader(range(7), batch_sampler=BatchSampler(sampler(7, 2, 1, shuffle=False), 3, drop_last=False))
    assert kept(loader, RealSamples("val", [loader], True)) == [1, 3, 5]


CYCLED = (
    'the val loaders are combined in mode "max_size_cycle", which starts shorter ones anew, and the samples that it '
    "repeats cannot be told apart here, so they are counted again: let the target be a tensor of the batch, from a "
    'loader with a length, or combine the loaders in mode "min_size"'
)


def combined(sizes: list[int], batch_size: int, mode: str, take: Any = lambda batch, index: batch[index]) -> Any:
    """What counts of each of several combined loaders where it gives the target, and the warnings."""
    found: list[list[int]] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for index in range(len(sizes)):
            loaders = [DataLoader(range(size), batch_size) for size in sizes]
            real = RealSamples("val", loaders, False, cycled=mode == "max_size_cycle")
            found.append([])
            for batch, batch_idx, _ in CombinedLoader(loaders, mode).__iter__():
                target = take(batch, index)
                if target is not None:
                    found[-1] += target[: real.kept(target, target, batch_idx, 0, batch)].tolist()
    return found, [str(one.message) for one in caught if one.category is UserWarning]


@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=3), batch_size=st.integers(1, 4))
def test_every_sample_of_loaders_that_start_anew_once(sizes, batch_size):
    found, said = combined(sizes, batch_size, "max_size_cycle")
    assert found == [list(range(size)) for size in sizes]
    assert not said


def test_a_view_of_the_target_is_known_and_a_copy_is_not():
    found, said = combined([2, 7], 2, "max_size_cycle", lambda batch, index: batch[index].view(-1, 1)[:, 0])
    assert found == [[0, 1], list(range(7))]
    assert not said
    found, said = combined([2, 7], 2, "max_size_cycle", lambda batch, index: batch[index].clone())
    assert found == [[0, 1] * 4, list(range(7))]
    assert said == [CYCLED] * 2  # once for each loader


def test_a_target_from_memory_that_two_loaders_share_is_not_known():
    shared = torch.arange(7)
    loaders = [DataLoader(shared[:2], None), DataLoader(shared, None)]
    real = RealSamples("val", loaders, False, cycled=True)
    with pytest.warns(UserWarning, match=re.escape(CYCLED)):
        assert real.kept(shared[:1], shared[:1], 3, 0, [shared[:1], shared[3:4]]) is None


@pytest.mark.parametrize("sizes", [[7, 7], [4, 4, 4]])
def test_loaders_of_one_length_repeat_nothing(sizes):
    found, said = combined(sizes, 2, "max_size_cycle", lambda batch, index: batch[index].clone())
    assert found == [list(range(size)) for size in sizes]
    assert not said


@pytest.mark.parametrize("mode", ["min_size", "max_size"])
def test_other_modes_repeat_nothing(mode):
    found, said = combined([2, 7], 2, mode)
    assert found == [[0, 1], list(range(7)) if mode == "max_size" else [0, 1]]
    assert not said


def test_the_padding_of_combined_loaders_is_known_too():
    loaders = [dealt(7, 2, 1, 2), dealt(5, 2, 1, 2)]
    for index, last in ((0, 5), (1, 3)):
        real = RealSamples("val", loaders, False)
        found = []
        for batch, batch_idx, _ in CombinedLoader(loaders, "max_size").__iter__():
            if batch[index] is not None:
                found += batch[index][: real.kept(batch[index], batch[index], batch_idx, 0, batch)].tolist()
        assert len(found) == (last + 1) // 2


@pytest.mark.parametrize("captured", [False, True])
def test_the_monitor_counts_the_samples_of_a_cycled_loader_once(captured):
    class Labelled(Tiny):
        """Learns from the first of two batches that it is given at once."""

        def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
            return super().step(stage, batch["labelled"], batch_idx, loader)

    network = {"model": "net", "target": lambda batch: batch["labelled"][1]} if captured else {}
    runner = trainer(monitor(**network))
    loaders = {"labelled": loader(5, batch_size=2), "more": loader(14, batch_size=2)}
    model = Labelled()
    runner.fit(model, CombinedLoader(loaders, "max_size_cycle"), CombinedLoader(loaders, "max_size_cycle"))
    for stage in ("train", "val"):
        assert len(model.seen[stage, 0]) == 7
        assert close(logged(runner), stage, naive_of(model, samples(5)))
