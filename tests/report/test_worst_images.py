"""The images that scored lowest on several processes: the names, the order and the number of all together."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from segiou import ImagewiseIoU
from segiou.report import worst_images
from segiou.report.worst_images import WorstImages

WRONG = [[5, 1, 0, 7], [3, 9, 2]]  # pixels of each image that are wrong, on each of two processes


@pytest.fixture
def _two_threads_as_processes(monkeypatch):
    """Threads whose names are their ranks stand in for the processes of a group."""
    barrier, table = threading.Barrier(2), {}

    def rank(group=None):
        return int(threading.current_thread().name[-1])

    def all_gather_object(values, value, group=None):
        barrier.wait(60)
        table[rank()] = value
        barrier.wait(60)
        values[:] = [table[0], table[1]]
        barrier.wait(60)

    for name, function in {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "get_world_size": lambda group=None: 2,
        "get_rank": rank,
        "all_gather_object": all_gather_object,
    }.items():
        monkeypatch.setattr(worst_images, name, function)


def kept(wrong, number, ids=None):
    images = WorstImages(ImagewiseIoU(2, keep_images=True, sync_on_compute=False), number)
    target = torch.zeros(len(wrong), 4, 4, dtype=torch.int64)
    target[:, 2:] = 1
    preds = target.clone()
    for image, pixels in zip(preds, wrong, strict=True):
        image.view(-1)[:pixels] = 1
    images.update(preds, target, ids)
    return images


@pytest.mark.usefixtures("_two_threads_as_processes")
@pytest.mark.parametrize(("number", "expected"), [(3, [5, 3, 0]), (12, [5, 3, 0, 4, 6, 1, 2])])
def test_images_without_ids_are_numbered_through_and_the_lowest_of_all_come_first(number, expected):
    ranks = [kept(wrong, number) for wrong in WRONG]
    with ThreadPoolExecutor(2, thread_name_prefix="rank") as pool:
        every = [[(i.name, i.score) for i in found] for found in pool.map(WorstImages.lowest, ranks)]
    assert every[0] == every[1]
    assert [name for name, _ in every[0]] == [f"image {place}" for place in expected]
    scores = [score for _, score in every[0]]
    assert scores == sorted(scores)


def test_an_image_that_comes_again_is_kept_once():
    images = kept([5, 2], 3, ["a", "b"])
    preds = torch.ones(1, 4, 4, dtype=torch.int64)
    images.update(preds, 1 - preds, ["a"])
    assert [image.name for image in images.lowest()] == ["a", "b"]
