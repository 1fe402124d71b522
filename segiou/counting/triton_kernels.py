"""The Triton kernel: one launch reads scores or labels, and adds the joint histogram to the counts.

``count`` is one persistent frame around four ways to predict a label (``KIND``). Where the table of
counts is small, every program keeps it in registers (``tl.histogram`` of a tile, added up) and flushes
it once; where it is large, groups of 32 pixels with one key cost one atomic addition. All additions are
of integers, so that their order does not matter. Annotations of arguments other than ``tl.constexpr``
would be read by Triton as types, so there are none.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"

import triton
import triton.language as tl

if tuple(int(part) for part in triton.__version__.split(".")[:2]) < (3, 4):
    raise ImportError(f"the fused kernels need triton 3.4 or newer, got {triton.__version__}")

GROUP = tl.constexpr(32)


@triton.jit
def _offsets(index, size1, size2, stride0, stride1, stride2, AXES: tl.constexpr):
    """Element offsets of pixels of one item, from their number in row-major order of 1 to 3 axes."""
    if AXES == 1:
        offsets = index.to(tl.int64) * stride0
    elif AXES == 2:
        row = index // size1
        offsets = row.to(tl.int64) * stride0 + (index - row * size1).to(tl.int64) * stride1
    else:
        row = index // size2
        plane = row // size1
        offsets = plane.to(tl.int64) * stride0 + (row - plane * size1).to(tl.int64) * stride1
        offsets += (index - row * size2).to(tl.int64) * stride2
    return offsets


@triton.jit
def _widened(labels):
    """Labels in 32 or 64 bits."""
    if labels.dtype != tl.int64:
        labels = labels.to(tl.int32)
    return labels


@triton.jit
def _row(labels, CLASSES: tl.constexpr, IGNORE: tl.constexpr):
    """The row of target labels, CLASSES where ignored or outside; and where outside and not ignored."""
    labels = _widened(labels)
    held = (labels >= 0) & (labels < CLASSES)
    known = held
    for i in tl.static_range(len(IGNORE)):
        known = known | (labels == IGNORE[i])
        held = held & (labels != IGNORE[i])
    return tl.where(held, labels, CLASSES).to(tl.int32), known == 0


@triton.jit
def _column(labels, CLASSES: tl.constexpr):
    """The column of predicted labels, CLASSES where outside; and where outside."""
    labels = _widened(labels)
    outside = (labels < 0) | (labels >= CLASSES)
    return tl.where(outside, CLASSES, labels).to(tl.int32), outside


@triton.jit
def _comparable(scores):
    """Scores in a type that is compared natively."""
    if scores.dtype != tl.float64:
        scores = scores.to(tl.float32)
    return scores


@triton.jit
def _better(scores, index, best, label):
    """Keep the larger score and its class: the first of equal ones, and the first nan for good."""
    scores = _comparable(scores)
    wins = ((scores <= best) == 0) & (best == best)
    return tl.where(wins, scores, best), tl.where(wins, index, label)


@triton.jit
def _four(pointers, step, inside, POLICY: tl.constexpr):
    """Scores of four classes, as they are in memory."""
    s0 = tl.load(pointers, mask=inside, eviction_policy=POLICY)
    s1 = tl.load(pointers + step, mask=inside, eviction_policy=POLICY)
    s2 = tl.load(pointers + 2 * step, mask=inside, eviction_policy=POLICY)
    s3 = tl.load(pointers + 3 * step, mask=inside, eviction_policy=POLICY)
    return s0, s1, s2, s3


@triton.jit
def _best_of_four(s0, s1, s2, s3, first, best, label):
    best, label = _better(s0, first, best, label)
    best, label = _better(s1, first + 1, best, label)
    best, label = _better(s2, first + 2, best, label)
    return _better(s3, first + 3, best, label)


@triton.jit
def _first_max(pointers, step, inside, CLASSES: tl.constexpr, POLICY: tl.constexpr):
    """The class of the first maximum, and whether there is a nan; the next four classes load meanwhile."""
    SWEPT: tl.constexpr = (CLASSES - 1) // 4 * 4
    step = tl.cast(step, tl.int64)
    best = _comparable(tl.load(pointers, mask=inside, eviction_policy=POLICY))
    label = tl.zeros(pointers.shape, tl.int32)
    pointers += step
    if SWEPT > 0:
        s0, s1, s2, s3 = _four(pointers, step, inside, POLICY)
        pointers += 4 * step
        for first in range(1, SWEPT - 3, 4):
            n0, n1, n2, n3 = _four(pointers, step, inside, POLICY)
            pointers += 4 * step
            best, label = _best_of_four(s0, s1, s2, s3, first, best, label)
            s0, s1, s2, s3 = n0, n1, n2, n3
        best, label = _best_of_four(s0, s1, s2, s3, SWEPT - 3, best, label)
    for last in tl.static_range(1 + SWEPT, CLASSES):
        best, label = _better(tl.load(pointers, mask=inside, eviction_policy=POLICY), last, best, label)
        pointers += step
    return label, best != best


@triton.jit
def _source(index, size, scale, MODE: tl.constexpr):
    """Where torch's interpolation reads along one axis: two indices and the weight of the second, in float32."""
    position = index.to(tl.float32)
    if MODE == "bilinear":  # noqa: SIM108
        position = tl.maximum(tl.fma(position + 0.5, scale, -0.5), 0.0)
    else:
        position = position * scale
    low = tl.minimum(position.to(tl.int32), size - 1)
    return low, tl.minimum(low + 1, size - 1), position - low.to(tl.float32)


@triton.jit
def _blend(p00, p01, p10, p11, inside, x0, x1, y0, y1):
    """The interpolated scores of one class, in the order and with the roundings of torch's kernels."""
    top = tl.fma(tl.load(p00, mask=inside).to(tl.float32), x0, tl.load(p01, mask=inside).to(tl.float32) * x1)
    bottom = tl.fma(tl.load(p10, mask=inside).to(tl.float32), x0, tl.load(p11, mask=inside).to(tl.float32) * x1)
    return tl.fma(top, y0, bottom * y1)


@triton.jit
def _first_max_upsampled(
    preds, index, width, p_class, p_row, p_column, height_in, width_in, scale_y, scale_x, inside,
    CLASSES: tl.constexpr, MODE: tl.constexpr, POLICY: tl.constexpr,
):  # fmt: skip
    """As ``_first_max``, of scores that are interpolated to the target's size."""
    row = index // width
    up, down, y1 = _source(row, height_in, scale_y, MODE)
    left, right, x1 = _source(index - row * width, width_in, scale_x, MODE)
    up, down = preds + up.to(tl.int64) * p_row, preds + down.to(tl.int64) * p_row
    left, right = left.to(tl.int64) * p_column, right.to(tl.int64) * p_column
    if MODE == "nearest":
        label, nan = _first_max(up + left, p_class, inside, CLASSES, POLICY)
    else:
        y0, x0 = 1.0 - y1, 1.0 - x1
        p00, p01, p10, p11 = up + left, up + right, down + left, down + right
        step = tl.cast(p_class, tl.int64)
        best = _blend(p00, p01, p10, p11, inside, x0, x1, y0, y1)
        label = tl.zeros(index.shape, tl.int32)
        for last in range(1, CLASSES):
            skip = last * step
            scores = _blend(p00 + skip, p01 + skip, p10 + skip, p11 + skip, inside, x0, x1, y0, y1)
            best, label = _better(scores, last, best, label)
        nan = best != best
    return label, nan


@triton.jit
def _add_grouped(counts, key, inside, BLOCK: tl.constexpr):
    """Add a tile to a large table: one atomic addition for 32 equal keys, else one for each pixel."""
    key = tl.reshape(tl.where(inside, key, -1), [BLOCK // GROUP, GROUP])
    low = tl.min(key, axis=1)
    alike = (low == tl.max(key, axis=1)) & (low >= 0)
    tl.atomic_add(counts + low, tl.full([BLOCK // GROUP], GROUP, tl.int64), mask=alike, sem="relaxed")
    single = (key >= 0) & (alike[:, None] == 0)
    tl.atomic_add(counts + key, tl.full([BLOCK // GROUP, GROUP], 1, tl.int64), mask=single, sem="relaxed")


@triton.jit
def _add_error(errors, which: tl.constexpr, found):
    total = tl.sum(found, axis=0)
    if total > 0:
        tl.atomic_add(errors + which, total.to(tl.int64), sem="relaxed")


@triton.jit(do_not_specialize=["items", "blocks", "slots", "bound"])
def count(
    preds, target, counts, errors,
    items, pixels, blocks, slots, size1, size2,
    p_item, p_class, p0, p1, p2, t_item, t0, t1, t2,
    bound, height_in, width_in, scale_y, scale_x,
    KIND: tl.constexpr, MODE: tl.constexpr, CLASSES: tl.constexpr, IGNORE: tl.constexpr, AXES: tl.constexpr,
    BINS: tl.constexpr, BLOCK: tl.constexpr, POLICY: tl.constexpr,
):  # fmt: skip
    """Count ``items`` items of ``pixels`` pixels each, for every group of ``slots`` programs.

    Every group has a table of its own at ``counts``; a program takes every ``slots``-th of the group's
    ``items * blocks`` tiles. ``errors`` is shared. BINS of 0 means a table too large for registers.
    """
    group = tl.program_id(0) // slots
    SIZE: tl.constexpr = CLASSES + 1
    counts += group.to(tl.int64) * (SIZE * SIZE)
    first_item = group.to(tl.int64) * items
    lanes = tl.arange(0, BLOCK)
    bad_preds = tl.zeros([BLOCK], tl.int32)
    bad_target = tl.zeros([BLOCK], tl.int32)
    wrong = tl.zeros([BLOCK], tl.int32)
    if BINS > 0:
        table = tl.zeros([BINS], tl.int32)
    outside = 0  # lanes beyond the end of an item, which tl.histogram counts with key 0
    for tile in range(tl.program_id(0) % slots, items * blocks, slots):
        item = first_item + tile // blocks
        index = (tile % blocks) * BLOCK + lanes
        inside = index < pixels
        labels = tl.load(
            target + item * t_item + _offsets(index, size1, size2, t0, t1, t2, AXES),
            mask=inside, eviction_policy="evict_first",
        )  # fmt: skip
        row, bad = _row(labels, CLASSES, IGNORE)
        bad_target += (bad & inside).to(tl.int32)
        if KIND == "upsampled":
            column, flaw = _first_max_upsampled(
                preds + item * p_item, index, size1, p_class, p0, p1, height_in, width_in, scale_y, scale_x, inside,
                CLASSES, MODE, POLICY,
            )  # fmt: skip
        else:
            pointers = preds + item * p_item + _offsets(index, size1, size2, p0, p1, p2, AXES)
            if KIND == "scores":
                column, flaw = _first_max(pointers, p_class, inside, CLASSES, POLICY)
            elif KIND == "labels":
                column, flaw = _column(tl.load(pointers, mask=inside, eviction_policy=POLICY), CLASSES)
                flaw = flaw & (row < CLASSES)  # no score depends on what is predicted where the target is ignored
            else:
                scores = _comparable(tl.load(pointers, mask=inside, eviction_policy=POLICY))
                if scores.dtype == tl.float64:
                    limit = bound.to(tl.int64).to(tl.float64, bitcast=True)
                else:
                    limit = bound.to(tl.int32).to(tl.float32, bitcast=True)
                column, flaw = (scores > limit).to(tl.int32), scores != scores
                wrong += (((scores < 0.0) | (scores > 1.0)) & inside).to(tl.int32)
        bad_preds += (flaw & inside).to(tl.int32)
        key = row * SIZE + column
        if BINS > 0:
            table += tl.histogram(tl.where(inside, key, 0), BINS)
            outside += tl.maximum((tile % blocks + 1) * BLOCK - pixels, 0)
        else:
            _add_grouped(counts, key, inside, BLOCK)
    if BINS > 0:
        bins = tl.arange(0, BINS)
        table = tl.where(bins == 0, table - outside, table)
        tl.atomic_add(counts + bins, table.to(tl.int64), mask=(table != 0) & (bins < SIZE * SIZE), sem="relaxed")
    _add_error(errors, 0 if KIND == "labels" else 2, bad_preds)
    _add_error(errors, 1, bad_target)
    if MODE == "probabilities":
        _add_error(errors, 3, wrong)
