"""The rows: their data, and who counts it."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.classification as theirs
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from benchmarking.timing import CHECKED, EAGER, GPU, LIMIT, OPENCV, OWN, SMALL, THEIRS, TORCH, Case, Contender, Row
from segiou import BoundaryIoU, MeanIoU, SegmentationMetrics
from segiou.counting import Rules, count, kernel_for

IGNORED = 255
SIX = {
    "mIoU": theirs.MulticlassJaccardIndex,
    "Dice": theirs.MulticlassF1Score,
    "Precision": theirs.MulticlassPrecision,
    "Recall": theirs.MulticlassRecall,
    "MeanAccuracy": theirs.MulticlassAccuracy,
    "CohenKappa": theirs.MulticlassCohenKappa,
}
Maps = tuple[Tensor, Tensor]  # scores or labels, and the target


def cases(threads: int) -> Iterator[Case]:
    """Every row that the timing loop fills; ``threads`` are those of the second variants."""
    for classes, shape in ((22, (4, 22, 512, 512)), (19, (1, 19, 1024, 2048)), (150, (2, 150, 512, 512))):
        for number in sorted({1, threads}):
            name = f"scores float32 {by(shape)}" + (f", {number} threads" if number > 1 else "")
            first = classes == 22 and number == 1
            build = partial(one_matrix, partial(score_maps, *shape), classes)
            yield Case(name, build, number, quick=first, memory=first)
    maps = partial(score_maps, 4, 22, 512, 512)
    last = partial(maps, layout=torch.channels_last)
    yield Case("scores bfloat16 4x22x512x512", partial(one_matrix, partial(maps, dtype=torch.bfloat16), 22), quick=True)
    yield Case("scores float16 4x22x512x512", partial(one_matrix, partial(maps, dtype=torch.float16), 22))
    yield Case("scores channels_last 4x22x512x512", partial(one_matrix, last, 22), memory=True)
    yield Case("scores float32 8x2x512x512", partial(one_matrix, partial(score_maps, 8, 2, 512, 512), 2))
    yield Case("binary logits 8x1x512x512", partial(one_matrix, partial(binary_logits, 8, 1, 512, 512), 1))

    labels = partial(label_maps, 22, 4, 512, 512)
    small = partial(labels, dtype=torch.uint8)
    many = partial(label_maps, 1000, 4, 512, 512, patch=1)
    images, scores = partial(label_maps, 22, 16, 256, 256), partial(score_maps, 16, 22, 256, 256)
    yield Case("labels int64 4x512x512", partial(one_matrix, labels, 22), quick=True, memory=True)
    yield Case("labels uint8 4x512x512", partial(one_matrix, small, 22), quick=True)
    for kind, maps in (("int64", labels), ("uint8", small)):
        yield Case(f"labels {kind} 4x512x512, 10 % noise", partial(one_matrix, partial(maps, noise=0.1), 22))
    yield Case("labels uint8 4x512x512, random", partial(one_matrix, partial(small, patch=1), 22))
    yield Case("labels int64 4x512x512, C=1000, random", partial(one_matrix, many, 1000))
    yield Case("six scores, labels int64 4x512x512", partial(six_scores, labels, 22), quick=True)
    yield Case("per image, labels 16x256x256 *", partial(matrix_per_image, images, 22))
    yield Case("per image, scores 16x22x256x256 *", partial(matrix_per_image, scores, 22))
    for shape, size in (((4, 150, 128, 128), (512, 512)), ((1, 19, 256, 512), (1024, 2048))):
        maps = partial(score_maps, *shape, size=size)
        yield Case(f"upsample {by(shape)} to {by(size)}", partial(one_matrix, maps, shape[1]), memory=True)
        last = partial(maps, layout=torch.channels_last)
        yield Case(f"upsample channels_last {by(shape)} to {by(size)}", partial(one_matrix, last, shape[1]))
    if find_spec("cv2"):
        for name, kind in (("uint8", torch.uint8), ("int64", torch.int64)):
            streets = partial(label_maps, 19, 1, 1024, 2048, dtype=kind)
            yield Case(f"boundary IoU, labels {name} 1x1024x2048", partial(boundary_areas, streets, 19), quick=True)

    for name, maps in (
        ("scores 1x19x64x64", partial(score_maps, 1, 19, 64, 64)),
        ("labels 1x64x64", partial(label_maps, 19, 1, 64, 64)),
        ("labels 1x2x2, the overhead alone", partial(label_maps, 19, 1, 2, 2, patch=1)),
    ):
        yield Case(name, partial(one_matrix, maps, 19), quick=True, section=SMALL, calls=100)
    for kind in (torch.bfloat16, torch.float32) if torch.cuda.is_available() else ():
        maps = partial(score_maps, 8, 19, 1024, 2048, dtype=kind, device="cuda")
        yield Case(f"GPU scores {str(kind)[6:]} 8x19x1024x2048", partial(one_matrix, maps, 19), quick=True, section=GPU)


def by(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


# ---- data


def coherent(classes: int, *shape: int, patch: int = 64, device: str = "cpu") -> Tensor:
    """Labels in squares of one class, like maps of real things; ``patch=1`` is noise."""
    *first, height, width = shape
    coarse = torch.randint(classes, (*first, height // patch, width // patch), device=device)
    return coarse.repeat_interleave(patch, -2).repeat_interleave(patch, -1)


def framed(target: Tensor, classes: int) -> Tensor:
    """The target with ignored pixels along the upper edge, a sixteenth, where 255 is no class."""
    if classes <= IGNORED:
        target[..., : target.shape[-2] // 16, :] = IGNORED
    return target


def score_maps(*shape: int, dtype: torch.dtype = torch.float32, size: tuple[int, ...] = (), **where: Any) -> Maps:
    preds = torch.randn(shape, device=where.get("device")).to(dtype)
    target = coherent(shape[1], shape[0], *(size or shape[2:]), device=str(preds.device))
    return preds.to(memory_format=where.get("layout", torch.contiguous_format)), framed(target, shape[1])


def label_maps(
    classes: int, *shape: int, dtype: torch.dtype = torch.int64, patch: int = 64, noise: float = 0.0
) -> Maps:
    target = coherent(classes, *shape, patch=patch).to(dtype)
    random = torch.randint_like(target, classes)
    preds = target.roll(3, -1) if patch > 1 else random
    return torch.where(torch.rand(target.shape) < noise, random, preds), framed(target, classes)


def binary_logits(*shape: int) -> Maps:
    logits = (torch.randn(shape) * 64).round() / 64  # none so near 0 that its sigmoid rounds to 0.5
    return logits, framed(coherent(2, *shape), 2)


# ---- contenders


def fast_argmax(preds: Tensor) -> Tensor:
    """Labels as they are; of scores the first maximum over axis 1, for torch.argmax is slow there on the CPU."""
    if not preds.is_floating_point():
        return preds
    classes = preds.shape[1]
    if classes <= 2:
        return preds[:, 1] > preds[:, 0] if classes == 2 else preds > 0
    if preds.is_cuda:
        return preds.argmax(1)
    weights = torch.arange(classes, 0, -1, dtype=torch.uint8).view(-1, 1, 1)
    first = [((image == image.amax(0, keepdim=True)).view(torch.uint8) * weights).amax(0) for image in preds]
    return classes - torch.stack(first)


def joint_counts(preds: Tensor, target: Tensor, classes: int) -> Tensor:
    """The matrix, where bins are kept for every target up to 255, and those of ignored pixels are left out."""
    wide = (preds.int(), target.int()) if target.dtype == torch.uint8 else (preds, target)
    bins = torch.bincount(torch.add(*wide, alpha=classes).flatten(), minlength=classes * max(classes, IGNORED + 1))
    return bins[: classes**2].view(classes, classes)


def own_kernels(device: torch.device) -> dict[str, str]:
    """The columns of segiou that can be filled here, each with its ``SEGIOU_KERNEL``."""
    with mock.patch.dict(os.environ, SEGIOU_KERNEL="fused"):
        try:
            kernel_for(device)
        except (ImportError, ValueError):
            return {EAGER: "eager"}
    return {EAGER: "eager", OWN: "fused"}


def ignored(classes: int) -> int | None:
    return IGNORED if classes <= IGNORED else None


def read_once(*tensors: Tensor) -> Contender:
    if tensors[0].is_cuda:
        source = torch.zeros(sum(tensor.nbytes for tensor in tensors) // 2, dtype=torch.uint8, device="cuda")
        return Contender(partial(torch.empty_like(source).copy_, source))
    flat = [tensor.as_strided((tensor.numel(),), (1,)) for tensor in tensors]
    words = [tensor.view(torch.float32 if tensor.is_floating_point() else torch.int64) for tensor in flat]
    return Contender(lambda: [tensor.sum() for tensor in words])


def updating(metric: Metric, feed: Callable[[], Maps], classes: int, kernel: str = "auto") -> Contender:
    def counts() -> Tensor:
        metric.reset()
        metric.update(*feed())
        return metric.confmat[:classes, :classes]

    return Contender(lambda: metric.update(*feed()), counts, kernel)


def one_matrix(maps: Callable[[], Maps], classes: int) -> Row:
    """A batch counted into one matrix; one class means binary logits."""
    preds, target = maps()
    size, device = max(classes, 2), target.device
    small = preds.is_floating_point() and preds.shape[-2:] != target.shape[-2:]
    jaccard = theirs.BinaryJaccardIndex if classes == 1 else partial(theirs.MulticlassJaccardIndex, classes)
    options = {"task": "binary", "from_logits": True} if classes == 1 else {"num_classes": classes}
    row = {}

    def full() -> Maps:
        return (F.interpolate(preds, size=target.shape[-2:], mode="bilinear") if small else preds), target

    def plain() -> Tensor:
        return joint_counts(full()[0].argmax(1) if small else fast_argmax(preds), target, size)

    for name in (CHECKED, THEIRS):
        metric = jaccard(validate_args=name == CHECKED, ignore_index=ignored(classes)).to(device)
        row[name] = updating(metric, full, size)
    row[TORCH] = Contender(plain, plain)
    for name, kernel in own_kernels(device).items():
        own = MeanIoU(**options, ignore_index=ignored(classes), upsample="bilinear" if small else None).to(device)
        row[name] = updating(own, lambda: (preds, target), size, kernel)
    return row | {LIMIT: read_once(preds, target)}


def matrix_per_image(maps: Callable[[], Maps], classes: int) -> Row:
    """A matrix for each image; in place of reading once stands one matrix of all of them."""
    preds, target = maps()
    images, rules = len(target), Rules.of(classes, ignore_index=IGNORED)

    def samplewise(checked: bool) -> Contender:
        metric = theirs.MulticlassStatScores(
            classes, average=None, multidim_average="samplewise", ignore_index=IGNORED, validate_args=checked
        )

        def update() -> None:
            metric.reset()  # it would keep every batch
            metric.update(preds, target)

        def counts() -> Tensor:
            update()
            return metric.compute()[..., [0, 1, 3]]  # TP, FP, FN

        return Contender(update, counts)

    def sums(counts: Tensor) -> Tensor:
        """TP, FP and FN, for torchmetrics has no matrix for each image."""
        matrix = counts[:, :classes, :classes]
        right = matrix.diagonal(0, 1, 2)
        return torch.stack([right, matrix.sum(1) - right, matrix.sum(2) - right], -1)

    def plain() -> Tensor:
        bins = classes * (classes + 1)  # the last row of each image is for ignored pixels
        key = fast_argmax(preds) + target.clamp(max=classes) * classes + torch.arange(images).view(-1, 1, 1) * bins
        counts = torch.bincount(key.flatten(), minlength=images * bins)
        return counts.view(images, classes + 1, classes)[:, :classes]

    row = {CHECKED: samplewise(True), THEIRS: samplewise(False), TORCH: Contender(plain, lambda: sums(plain()))}
    for name, kernel in own_kernels(target.device).items():
        own = partial(count, preds, target, rules, per_image=True)
        row[name] = Contender(own, lambda own=own: sums(own().counts), kernel)
    return row | {LIMIT: Contender(partial(count, preds, target, rules))}


def six_scores(maps: Callable[[], Maps], classes: int) -> Row:
    """Six metrics of torchmetrics, which shares their states where it can, and all ten of segiou."""
    preds, target = maps()

    def updating_all(metric: Any, kernel: str = "auto") -> Contender:
        def values() -> Tensor:
            metric.reset()
            metric.update(preds, target)
            found = metric.compute()
            return torch.stack([found[name] for name in SIX])

        return Contender(partial(metric.update, preds, target), values, kernel)

    row = {}
    for name in (CHECKED, THEIRS):
        options = {"num_classes": classes, "ignore_index": IGNORED, "validate_args": name == CHECKED}
        row[name] = updating_all(MetricCollection({key: kind(**options) for key, kind in SIX.items()}))
    for name, kernel in own_kernels(target.device).items():
        row[name] = updating_all(SegmentationMetrics(classes, ignore_index=IGNORED), kernel)
    return row | {LIMIT: read_once(preds, target)}


def boundary_areas(maps: Callable[[], Maps], classes: int) -> Row:
    """BoundaryIoU with its usual distance, and the reference's erosion of one mask after the other."""
    import cv2

    preds, target = maps()
    distance = max(1, round(0.02 * math.hypot(*target.shape[1:])))
    square = np.ones((3, 3), np.uint8)
    cv2.setNumThreads(torch.get_num_threads())

    def band(labels: Any, c: int) -> Any:
        mask = (labels == c).view(np.uint8)
        wide = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        return mask - cv2.erode(wide, square, iterations=distance)[1:-1, 1:-1]

    def by_class() -> Tensor:
        areas = np.zeros((3, classes), np.int64)
        for p, t in zip(preds.numpy(), target.numpy(), strict=True):
            valid = (t != IGNORED).view(np.uint8)
            for c in range(classes):
                predicted, true = band(p, c) & valid, band(t, c)
                areas[:, c] += [cv2.countNonZero(mask) for mask in (predicted & true, predicted, true)]
        return torch.from_numpy(areas)

    def updating_areas(metric: BoundaryIoU, kernel: str) -> Contender:
        def areas() -> Tensor:
            metric.reset()
            metric.update(preds, target)
            return torch.stack(metric.areas(metric.confmat))

        return Contender(partial(metric.update, preds, target), areas, kernel)

    row = {OPENCV: Contender(by_class, by_class)}
    for name, kernel in own_kernels(target.device).items():
        row[name] = updating_areas(BoundaryIoU(classes, ignore_index=IGNORED), kernel)
    return row | {LIMIT: read_once(preds, target)}
