"""Batches of each task of torchmetrics.classification, in every form that its metrics take."""

import warnings

import torch

C, L = 5, 3  # class 3 is predicted only, class 4 is absent
SIZES = {"binary": {}, "multiclass": {"num_classes": C}, "multilabel": {"num_labels": L}}
TASKS = {"binary": "Binary", "multiclass": "Multiclass", "multilabel": "Multilabel"}
SHAPES = {"flat": (40,), "maps": (2, 6, 7), "volumes": (2, 3, 4, 5)}
IGNORED = {"binary": [None, 0, 255, -1], "multiclass": [None, 1, 3, 255, -1], "multilabel": [None, 0, 255, -1]}
EACH = ["macro", "micro", "weighted", "none", None]
AVERAGES = {"binary": [None], "multiclass": EACH, "multilabel": EACH}
KINDS = ["labels", "probabilities", "logits"]


def batches(task: str, kind: str, shape: str, ignored: int | None, number: int = 2) -> list:
    """Batches of any kind; a value that is ignored is in each."""
    items, *axes = SHAPES[shape]
    size = (items, L, *axes) if task == "multilabel" else (items, *axes)
    rng = torch.Generator().manual_seed(len(kind))
    found = []
    for _ in range(number):
        target = torch.randint(0, 3 if task == "multiclass" else 2, size, generator=rng)
        scored = (items, C, *axes) if task == "multiclass" else size
        preds = 4 * torch.randn(scored, generator=rng)
        if task == "multiclass":
            preds[:, 4] = -50  # never predicted
        if kind == "labels":
            preds = preds.argmax(1) if task == "multiclass" else (preds > 0).long()
        elif kind == "probabilities":
            preds = preds.softmax(1) if task == "multiclass" else preds.sigmoid()
        if ignored is not None:
            target[torch.rand(size, generator=rng) < 0.2] = ignored
        found.append((preds, target))
    return found


def quietly(function, *args, **kwargs):
    """A result of torchmetrics, which warns of shares of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def require_same(own: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(own, other, rtol=0, atol=1e-6, equal_nan=True, check_dtype=True)
