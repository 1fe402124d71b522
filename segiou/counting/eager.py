"""Counting with torch operations only: any device, exact, and the reference for the fused kernels.

``labels``, ``scores`` and ``binary`` take items on axis 0 and return one matrix, or with ``each`` one per
item; ``above`` counts for many thresholds at once. All work on slices of about ``CHUNK`` pixels, so that
the memory beside the input stays bounded.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from segiou.counting.inputs import BAD_TARGET, NAN, NOT_PROBABILITY, Counted

CHUNK = 1 << 20
SCORES = 1 << 22  # compared at a time: they are read more than once, and should stay in the cache meanwhile


def labels(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count integer labels: ``preds`` and ``target`` of one shape ``(items, ...)``."""
    return _over_chunks(lambda part: (preds[part], _none(preds)), target, num_classes, ignore, each)


def scores(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count the argmax over axis 1 of scores ``(items, C, ...)``; the first maximum, and a nan wins."""
    return _over_chunks(lambda part: argmax(preds[part]), target, num_classes, ignore, each)


def binary(
    preds: Tensor, target: Tensor, threshold: float, probabilities: bool, ignore: tuple[int, ...], each: bool
) -> Counted:
    """Count scores of the positive class, of the target's shape; positive above ``threshold``, nan is negative.

    The threshold is rounded to the dtype of the scores. With ``probabilities``, scores outside 0 to 1
    are counted as errors.
    """

    def read(part: slice) -> tuple[Tensor, Tensor]:
        values = preds[part]
        wrong = ((values < 0) | (values > 1)).sum() if probabilities else _none(preds)[0]
        return (values > threshold).to(torch.uint8), torch.stack([values.isnan().sum(), wrong])

    return _over_chunks(read, target, 2, ignore, each)


def above(preds: Tensor, target: Tensor, bounds: Tensor, probabilities: bool, ignore: tuple[int, ...]) -> Counted:
    """Count pixels by target value and by how many of T rising ``bounds`` their score is above, ``(2, T + 1)``.

    ``preds`` are scores of the target's shape, and ``bounds`` of their dtype; nan is above none. Pixels whose
    target is ignored or no label are in no cell. With ``probabilities``, scores outside 0 to 1 are counted
    as errors.
    """
    columns = len(bounds) + 1
    table = torch.zeros((1, 4, columns), dtype=torch.int64, device=target.device)  # target below 0, 0, 1, above 1
    errors = torch.zeros(4, dtype=torch.int64, device=target.device)
    step = max(1, CHUNK // max(1, target[:1].numel()))
    for start in range(0, len(target) if target.numel() else 0, step):
        values, labels = preds[start : start + step].contiguous(), target[start : start + step]
        nan = values.isnan()
        column = torch.bucketize(values, bounds, out_int32=True).masked_fill_(nan, 0)
        row = signed(labels, 2, ignore).clamp(-1, 2)
        part = _histogram((column + (row.int() + 1) * columns).flatten(), 4 * columns).view(table.shape)
        table += part
        errors[BAD_TARGET] += _bad_target(part, labels, 2, ignore)
        errors[NAN] += nan.sum()
        if probabilities:
            errors[NOT_PROBABILITY] += ((values < 0) | (values > 1)).sum()
    return Counted(_folded(table, 2, ignore)[0, :2], errors)


def _over_chunks(
    read: Callable[[slice], tuple[Tensor, Tensor]],
    target: Tensor,
    num_classes: int,
    ignore: tuple[int, ...],
    each: bool,
) -> Counted:
    """Sum or stack the counts of slices of axis 0; ``read`` gives a slice's labels and [nan, not a probability]."""
    items = target.shape[0]
    size = num_classes + 1
    pixels = max(1, target[:1].numel())
    step = max(1, CHUNK // max(pixels, size * size if each else 1))
    counts: list[Tensor] = []
    errors: list[Tensor] = []
    for start in range(0, items if target.numel() else 0, step):
        part = slice(start, start + step)
        preds, flaws = read(part)
        table = _table(preds, target[part], num_classes, ignore, each)
        folded = _folded(table, num_classes, ignore)
        bad = torch.stack([folded[:, :-1, num_classes].sum(), _bad_target(table, target[part], num_classes, ignore)])
        if each or not counts:
            counts.append(folded)
        else:
            counts[0] += folded
        errors.append(torch.cat([bad, flaws]))
    if not counts:
        counts = [torch.zeros((items if each else 1, size, size), dtype=torch.int64, device=target.device)]
        errors = [torch.zeros(4, dtype=torch.int64, device=target.device)]
    return Counted(torch.cat(counts) if each else counts[0][0], torch.stack(errors).sum(0))


def _table(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Tensor:
    """Joint histogram ``(items or 1, C + 2, C + 1)``: target below, in each class, above; preds in each class, void."""
    rows, columns = num_classes + 2, num_classes + 1
    t = signed(target, num_classes, ignore)
    p = signed(preds, num_classes, ignore)
    if not _inside(p, num_classes):
        p = torch.where((p < 0) | (p >= num_classes), num_classes, p)
    if not _inside(t, num_classes):
        t = t.clamp(-1, num_classes)
    narrow = torch.int32 if rows * columns < 2**31 else torch.int64
    key = torch.add(p.to(narrow), t.to(narrow), alpha=columns).add_(columns)
    items = target.shape[0] if each else 1
    if each:
        shape = (-1,) + (1,) * (key.ndim - 1)
        key = key.long() + (torch.arange(items, device=key.device) * (rows * columns)).view(shape)
    return _histogram(key.flatten(), items * rows * columns).view(items, rows, columns)


def _histogram(key: Tensor, size: int) -> Tensor:
    if key.device.type == "cpu":
        return torch.bincount(key, minlength=size)
    # bincount would wait for the device to learn the largest key
    return torch.zeros(size, dtype=torch.int64, device=key.device).scatter_add_(
        0, key.long(), torch.ones_like(key, dtype=torch.int64)
    )


def _folded(table: Tensor, num_classes: int, ignore: tuple[int, ...]) -> Tensor:
    """Bring target labels outside, and ignored classes, to the last row."""
    counts = table[:, 1:].clone()
    counts[:, num_classes] += table[:, 0]
    for value in ignore:
        if 0 <= value < num_classes:
            counts[:, num_classes] += counts[:, value]
            counts[:, value] = 0
    return counts


def _bad_target(table: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...]) -> Tensor:
    """How many target labels are outside the classes and not ignored."""
    outside = table[:, 0].sum() + table[:, -1].sum()
    t = signed(target, num_classes, ignore)
    held = torch.iinfo(t.dtype)  # a value beyond it would wrap in the comparison
    for value in ignore:
        if not 0 <= value < num_classes and held.min <= value <= held.max:
            outside = outside - (t == value).sum()
    return outside


def argmax(preds: Tensor) -> tuple[Tensor, Tensor]:
    """The first maximum over axis 1, and [pixels with nan, 0]."""
    if preds.dtype == torch.bool or not preds.is_floating_point():
        return _ordered(preds).argmax(1), _none(preds)
    if preds.device.type != "cpu":
        return preds.argmax(1), _with_nan(preds.amax(1))
    if preds.stride(1) == 1:  # one pass over neighbours in memory
        top, labels = preds.max(1)
        return labels, _with_nan(top)
    if preds.ndim == 2:
        return _first_largest(preds)
    rows = max(1, SCORES * preds.shape[2] // max(1, preds.numel()))
    parts = [_first_largest(part) for part in torch.split(preds, rows, 2)]
    return torch.cat([labels for labels, _ in parts], 1), torch.stack([flaws for _, flaws in parts]).sum(0)


def _with_nan(top: Tensor) -> Tensor:
    nan = top.isnan().sum()
    return torch.stack([nan, torch.zeros_like(nan)])


def _first_largest(preds: Tensor) -> tuple[Tensor, Tensor]:
    """As ``argmax``, where classes are far apart in memory and torch.argmax is slow.

    The largest score is compared with every score, and the first that is equal has the largest weight. Where none is
    equal there is a nan.
    """
    top = preds.amax(1, keepdim=True)
    flaws = _with_nan(top)
    if flaws[0]:
        return preds.argmax(1), flaws
    classes = preds.shape[1]
    weight = torch.uint8 if classes < 256 else torch.int32
    weights = torch.arange(classes, 0, -1, dtype=weight, device=preds.device).view(-1, *(1,) * (preds.ndim - 2))
    first = ((preds == top).view(torch.uint8) * weights).amax(1)
    return classes - first, flaws


def _ordered(scores: Tensor) -> Tensor:
    """Integer scores in a dtype that torch can compare, in the same order."""
    if scores.dtype == torch.uint64:
        return scores.view(torch.int64) ^ torch.iinfo(torch.int64).min
    return signed(scores, 0, ())


def signed(labels: Tensor, num_classes: int, ignore: tuple[int, ...]) -> Tensor:
    """Labels in a signed dtype that holds every class id; values outside stay outside."""
    if labels.dtype == torch.uint64:
        wide = labels.to(torch.int64)
        beyond = next(value for value in range(num_classes, num_classes + len(ignore) + 1) if value not in ignore)
        return torch.where(wide < 0, beyond, wide)
    if labels.dtype in (torch.int32, torch.int64):
        return labels
    if labels.dtype in (torch.bool, torch.uint8, torch.int8):
        return labels.to(torch.int16 if num_classes < 2**15 else torch.int32)
    return labels.to(torch.int32 if labels.dtype in (torch.int16, torch.uint16) else torch.int64)


def _inside(labels: Tensor, num_classes: int) -> bool:
    """Whether every label is a class; asked on the CPU only, where the answer costs no waiting."""
    if labels.device.type != "cpu":
        return False
    low, high = labels.aminmax()
    return int(low) >= 0 and int(high) < num_classes


def _none(like: Tensor) -> Tensor:
    return torch.zeros(2, dtype=torch.int64, device=like.device)
