"""What ``plot`` draws of values; matplotlib is imported when it is needed."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor


def one_score(value: Tensor, label: str, ax: Any) -> Any:
    """One score as a bar."""
    from segiou.plots import bars

    return bars([float(value)], [label], label, None, ax)


def results_over_time(results: Sequence[Any], label: str, names: Sequence[str], ax: Any) -> Any:
    """A list of results as lines: one of scores, one for each class of vectors, one for each name of dicts."""
    from segiou.plots import over_time

    series: dict[str, list[float]] = {}
    for result in results:
        vector = isinstance(result, Tensor) and result.ndim == 1
        row = (
            dict(zip(names, result, strict=True)) if vector else result if isinstance(result, dict) else {label: result}
        )
        for name, score in row.items():
            series.setdefault(name, []).append(float(score))
    return over_time(series, label, ax)
