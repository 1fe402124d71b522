"""Random metrics with random input, several updates each, against a loop over pixels that shares no code with segiou.

    SEGIOU_RANDOM_UPDATES=100000 pytest tests/metrics/test_random_updates.py

makes that many updates; the seed of a trial that fails is in the message.
"""

import math
import os
import random
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch

from segiou import Dice, ImagewiseIoU, MeanAccuracy, MeanIoU, PixelAccuracy, Precision, Recall

UPDATES = int(os.environ.get("SEGIOU_RANDOM_UPDATES", "1500"))
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64]
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SCORES = {
    MeanIoU: lambda i, p, t: (i, p + t - i),
    Dice: lambda i, p, t: (2 * i, p + t),
    Precision: lambda i, p, t: (i, p),
    Recall: lambda i, p, t: (i, t),
    MeanAccuracy: lambda i, p, t: (i, t),
}


class Trial:
    """One metric, its batches, and what a loop makes of them."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        torch.manual_seed(seed)
        self.kind = self.rng.choice([*SCORES, ImagewiseIoU, PixelAccuracy])
        self.task = self.rng.choice(["multiclass"] * 4 + ["binary"])
        self.classes = 2 if self.task == "binary" else self.rng.choice([2, 3, 3, 4, 5, 7, 260])
        ids = [255, -1, self.classes] + ([0] if self.classes > 2 else [])
        self.ignored = self.rng.sample(ids, self.rng.choice([0, 0, 1, 2]))
        self.arguments = {"task": self.task, "ignore_index": self.ignored or None}
        self.arguments |= {"num_classes": self.classes} if self.task != "binary" else {}
        self.arguments |= {"validate_args": self.rng.random() < 0.7}
        self.averaged = [c for c in range(self.classes) if c not in self.ignored]
        if self.task == "binary" and self.kind is not MeanAccuracy:
            self.averaged = [1]
        if self.kind is not PixelAccuracy:
            self.choose_averaging()

    def choose_averaging(self):
        if self.task != "binary" and self.rng.random() < 0.4 and len(self.averaged) > 1:
            left_out = self.rng.sample(self.averaged, self.rng.randint(1, len(self.averaged) - 1))
            self.arguments["exclude"] = left_out
            self.averaged = [c for c in self.averaged if c not in left_out]
        self.arguments["average"] = self.rng.choice(["macro", "macro", "micro", "weighted"])
        self.arguments["absent"] = self.rng.choice(["skip", "skip", 0.0, 1.0])
        if self.kind is not ImagewiseIoU:
            self.arguments["absent_if"] = self.rng.choice(["union", "union", "target", "target_unless_empty"])

    def labels(self, shape, wild):
        """Labels, a few of them ignored values, and with ``wild`` a few that are nothing."""
        odd = [*self.ignored, *([self.classes + 2, -7, 200] if wild else [])]
        found = torch.randint(0, self.classes, shape)
        if self.rng.random() < 0.3 and shape:
            found = torch.full(shape, self.rng.randrange(self.classes))
        for value in odd:
            found[torch.rand(shape) < 0.1] = value
        fits = [t for t in INTEGERS if not found.numel() or held(t, found)]
        return found.to(self.rng.choice(fits))

    def batch(self):
        """Predictions, their label for each pixel, and targets."""
        shape = (self.rng.choice([0, 1, 1, 2, 3]), *(self.rng.randint(1, 5) for _ in range(self.rng.randint(0, 3))))
        wild = self.rng.random() < 0.15
        target = self.strided(self.labels(shape, wild and self.rng.random() < 0.6))
        if self.rng.random() < 0.5:
            preds = self.strided(self.labels(shape, wild and self.rng.random() < 0.6))
            return self.wrapped(preds, target, preds.long())
        dtype = self.rng.choice(FLOATS)
        if self.task == "binary" and self.rng.random() < 0.7:
            scores = self.strided((torch.randint(0, 9, shape) / 8).to(dtype))
            return self.wrapped(scores, target, (scores.double() > 0.5).long())
        scores = self.strided((torch.randint(-3, 4, (shape[0], self.classes, *shape[1:])) / 2).to(dtype))
        best = torch.tensor(
            [
                max(range(self.classes), key=lambda c, r=row: r[c])
                for row in scores.double().movedim(1, -1).reshape(-1, self.classes).tolist()
            ],
            dtype=torch.int64,
        )
        return self.wrapped(scores, target, best.view(shape))

    def strided(self, x):
        """The same values at other places in memory."""
        how = self.rng.randrange(5)
        if how == 0 and x.ndim > 1:
            return x.transpose(0, -1).contiguous().transpose(0, -1)
        if how == 1 and x.ndim > 1:
            return x.movedim(1, -1).contiguous().movedim(-1, 1)
        if how == 2:
            wide = torch.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype=x.dtype)
            wide[..., ::2] = x
            return wide[..., ::2]
        return x

    def wrapped(self, preds, target, labels):
        """As tensors, arrays or lists of images."""
        how = self.rng.randrange(6)
        if how == 0 and preds.dtype != torch.bfloat16:
            return preds.numpy(), target.numpy(), labels, target.long()
        if how == 1 and len(target):
            return list(preds.unbind()), list(target.unbind()), labels, target.long()
        return preds, target, labels, target.long()

    def areas(self, preds, target):
        """Intersection, predicted and target pixels of each class, of pixels that count."""
        found = [[0, 0, 0] for _ in range(self.classes)]
        for p, t in zip(preds.reshape(-1).tolist(), target.reshape(-1).tolist(), strict=True):
            if 0 <= t < self.classes and t not in self.ignored:
                found[t][2] += 1
                if 0 <= p < self.classes:
                    found[p][1] += 1
                    found[t][0] += p == t
        return found

    def is_bad(self, preds, target):
        """Whether a label is there that must not be."""
        for p, t in zip(preds.reshape(-1).tolist(), target.reshape(-1).tolist(), strict=True):
            known = 0 <= t < self.classes and t not in self.ignored
            if not known and t not in self.ignored:
                return True
            if known and not 0 <= p < self.classes:
                return True
        return False

    def score(self, areas, rule):
        """The value for areas, a fraction or None."""
        if self.kind is PixelAccuracy:
            total = sum(t for _, _, t in areas)
            return Fraction(sum(i for i, _, _ in areas), total) if total else None
        fill = None if self.arguments["absent"] == "skip" else Fraction(self.arguments["absent"])
        formula = SCORES[MeanIoU if self.kind is ImagewiseIoU else self.kind]
        kept = [areas[c] for c in self.averaged]
        empty = not any(t for _, _, t in kept)
        if self.arguments["average"] == "micro":
            kept = [[sum(column) for column in zip(*kept, strict=True)]]
        scores = []
        for i, p, t in kept:
            strict = rule == "target" or (rule == "target_unless_empty" and not empty)
            top, bottom = formula(i, p, t)
            gone = t == 0 and (strict or p == 0)
            scores.append(fill if gone or bottom == 0 else Fraction(top, bottom))
        if self.arguments["average"] != "weighted":
            scores = [score for score in scores if score is not None]
            return sum(scores) / len(scores) if scores else None
        weights = [t if score is not None else 0 for score, (_, _, t) in zip(scores, kept, strict=True)]
        if not sum(weights):
            return fill
        return sum(w * s for w, s in zip(weights, scores, strict=True) if w) / sum(weights)

    def rule(self):
        if self.kind is not ImagewiseIoU:
            return self.arguments.get("absent_if", "union")
        return "union" if self.task == "binary" else "target_unless_empty"


def held(dtype, values):
    low, high = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    return low <= int(values.min()) and int(values.max()) <= high


def run(seed):
    """One trial; the number of updates that it made."""
    trial = Trial(seed)
    metric = trial.kind(**trial.arguments)
    counted, made = [], trial.rng.randint(1, 6)
    for _ in range(made):
        preds, target, labels, known = trial.batch()
        if trial.arguments["validate_args"] and trial.is_bad(labels, known):
            with pytest.raises(ValueError, match="labels must be 0 to"):
                metric.update(preds, target)
            continue
        metric.update(preds, target)
        counted.append((labels, known))
    images = [trial.areas(p, t) for labels, known in counted for p, t in zip(labels, known, strict=True)]
    if trial.kind is ImagewiseIoU:
        scores = [score for image in images if (score := trial.score(image, trial.rule())) is not None]
        expected = sum(scores) / len(scores) if scores else None
    else:
        zero = [[0, 0, 0] for _ in range(trial.classes)]
        summed = [[sum(parts) for parts in zip(*rows, strict=True)] for rows in zip(zero, *images, strict=True)]
        expected = trial.score(summed, trial.rule())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # every batch may have been refused
        found = float(metric.compute())
    if expected is None:
        assert math.isnan(found), (seed, found)
    else:
        assert found == pytest.approx(float(expected), rel=2e-6, abs=1e-9), (seed, found, float(expected), repr(metric))
    return made


def test_every_value_is_that_of_the_loop():
    seed, updates = 0, 0
    while updates < UPDATES:
        seed += 1
        updates += run(seed)


def test_the_loop_finds_a_wrong_count(monkeypatch):
    """A pixel too many in one cell, now and then."""
    update = MeanIoU.update

    def wrong(self, preds, target):
        update(self, preds, target)
        self.confmat[0, 1] += 1

    monkeypatch.setattr(MeanIoU, "update", wrong)
    with pytest.raises(AssertionError):
        list(map(run, range(200)))


def test_arrays_of_every_kind_are_among_the_batches():
    kinds = {type(Trial(seed).batch()[0]) for seed in range(60)}
    assert kinds == {torch.Tensor, np.ndarray, list}
