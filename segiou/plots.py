"""Drawing: bars, lines over time, intervals, confusion matrices, curves over thresholds. Needs matplotlib."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

Layout = Literal["constrained", "compressed", "tight"]
MOST_WRITTEN = 30  # classes whose counts are written into the cells of a matrix
CURVES = {
    "IoU": ("#4c78a8", "-"),
    "Dice": ("#e45756", "-"),
    "Precision": ("#54a24b", "--"),
    "Recall": ("#b279a2", "--"),
}


def figure(
    width: float, height: float, pyplot: bool = True, layout: Layout | None = "constrained", **kwargs: Any
) -> Any:
    """A new figure and its axes; one that pyplot shows, or one on its own. The rest goes to ``subplots``."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError('plot needs matplotlib: pip install "segiou[plot]"') from missing
    if pyplot:
        import matplotlib.pyplot as plt

        return plt.subplots(figsize=(width, height), layout=layout, **kwargs)
    fig = Figure(figsize=(width, height), layout=layout)
    return fig, fig.subplots(**kwargs)


def bars(
    scores: Tensor | Sequence[float],
    names: Sequence[str],
    label: str,
    mean: float | None,
    ax: Any,
    left_out: Sequence[int] = (),
    nothing: str = "absent",
) -> Any:
    """Horizontal bars with the value beside each, pale for what is ``left_out`` of the ``mean``, a dashed line.

    ``nothing`` is written where a score is nan.
    """
    values = [float(score) for score in scores]
    if len(values) != len(names):
        raise ValueError(f"val must hold a score for each of the {len(names)} classes, got {len(values)}")
    fig, ax = (None, ax) if ax is not None else figure(6.4, 1.2 + 0.24 * len(values))
    colours = ["#b8cade" if row in left_out else "#4c78a8" for row in range(len(values))]
    ax.barh(range(len(values)), [0.0 if v != v else v for v in values], color=colours)
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    for row, value in enumerate(values):
        text, end = (nothing, 0.0) if value != value else (f"{value:.3f}", max(value, 0.0))
        ax.annotate(text, (end, row), (4, 0), textcoords="offset points", va="center", size=8, bbox=box)
    if mean is not None and mean == mean:
        ax.axvline(mean, color="#e45756", linestyle="--", zorder=1.5, label=f"{label} {mean:.4f}")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    shown = [_literal(name) + (" (not in the mean)" if row in left_out else "") for row, name in enumerate(names)]
    ax.set_yticks(range(len(values)), shown, size=8)
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_xlim(min(0.0, *values) if any(v < 0 for v in values) else 0.0, 1.08)
    ax.set_xlabel("IoU" if label == "mIoU" else label)
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def over_time(series: Mapping[str, Sequence[float]], label: str, ax: Any) -> Any:
    """Lines over the place in a list of results, one for each name, with a legend beside the axes."""
    fig, ax = (None, ax) if ax is not None else figure(6.4 + 1.6 * (len(series) > 1), 4.0)
    for number, (name, values) in enumerate(series.items()):
        style = ("-", "--", ":", "-.")[number // 10 % 4]  # colours come again after ten
        ax.plot(range(len(values)), list(values), style, marker="o", markersize=3, label=_literal(name))
    ax.set_xlabel("result")
    ax.set_ylabel(_literal(label))
    ax.grid(color="#dddddd")
    ax.set_axisbelow(True)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.spines[["top", "right"]].set_visible(False)
    if len(series) > 1:
        columns = -(-len(series) // 20)
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8, borderaxespad=0, ncols=columns)
    return fig, ax


def histogram(scores: Sequence[float], label: str, mean: float, ax: Any) -> Any:
    """How many images have which score; the mean is a dashed line."""
    fig, ax = (None, ax) if ax is not None else figure(6.4, 3.6)
    found = [score for score in scores if score == score]
    ax.hist(found, bins=25, range=(min(0.0, *found, 0.0), 1.0), color="#4c78a8")
    if mean == mean:
        ax.axvline(mean, color="#e45756", linestyle="--", label=f"{label} {mean:.4f}")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    ax.set_xlabel(f"score of an image ({len(found):,} images)")
    ax.set_ylabel("images")
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def intervals(found: Mapping[str, Sequence[float]], label: str, ax: Any) -> Any:
    """Scores as points with their intervals as whiskers: (value, low, high) by name."""
    fig, ax = (None, ax) if ax is not None else figure(6.4, 1.2 + 0.3 * len(found))
    for row, (value, low, high) in enumerate(found.values()):
        ax.plot([low, high], [row, row], color="#9ecae9", linewidth=5, solid_capstyle="butt")
        ax.plot([value], [row], "o", color="#4c78a8", markersize=5)
        ax.plot([low, high], [row, row], "|", color="#1f3b5c", markersize=11)  # over the dot, which is wider than many
        text = "absent" if value != value else f"{value:.3f} [{low:.3f}, {high:.3f}]"
        ax.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center", size=8)
    ax.set_yticks(range(len(found)), [_literal(name) for name in found], size=8)
    ax.set_ylim(len(found) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.grid(axis="x", color="#dddddd")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def heat_map(
    matrix: Tensor, names: Sequence[str], ax: Any = None, title: str | None = None, pyplot: bool = True
) -> Any:
    """A confusion matrix with values in the cells up to 30 classes; of more than 12, not in cells below half a percent.

    Counts are coloured by their share of the target class, shares as they are. Each text takes a millisecond to draw:
    without those that say next to nothing a figure for a logger costs a fraction.
    """
    size = len(names)
    if tuple(matrix.shape) != (size, size):
        raise ValueError(f"the matrix must be of {size} x {size} for {size} names, got shape {tuple(matrix.shape)}")
    names = [_literal(name) for name in names]
    fig, ax = (None, ax) if ax is not None else _square(names, pyplot)
    counts = matrix.detach().cpu().double()
    shares = matrix.is_floating_point()
    share = (counts if shares else (counts / counts.sum(-1, keepdim=True)).nan_to_num()).numpy()
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if size <= MOST_WRITTEN:
        written = (counts > 0).numpy() & (share >= (0.0 if size <= 12 else 0.005))
        for row, column in zip(*(index.tolist() for index in written.nonzero()), strict=True):
            color = "white" if share[row, column] > 0.6 else "#333333"
            text = _short(float(counts[row, column]), shares)
            ax.text(column, row, text, ha="center", va="center", size=8 if size < 12 else 6, color=color)
    step = max(1, size // 40)
    ticks = list(range(0, size, step))
    ax.set_xticks(ticks, [names[i] for i in ticks], rotation=90 if size > 4 else 0, size=8)
    ax.set_yticks(ticks, [names[i] for i in ticks], size=8)
    ax.set_xlabel("predicted")
    ax.set_ylabel("target")
    if title:
        ax.set_title(_literal(title), size=10)
    ax.figure.colorbar(image, ax=ax, label="share" if shares else "share of the target class", shrink=0.8)
    return fig, ax


def _square(names: Sequence[str], pyplot: bool) -> Any:
    """A figure for a matrix; for a logger with margins for the names that are reckoned, not measured, which is slow."""
    side = min(4.0 + 0.28 * len(names), 16.0)
    if pyplot:
        return figure(side + 1, side)
    fig, ax = figure(side + 1, side, pyplot=False, layout=None)
    margin = min(0.7 + 0.07 * max(map(len, names)), side / 2)
    fig.subplots_adjust(left=margin / (side + 1), right=1 - 0.2 / (side + 1), bottom=margin / side, top=1 - 0.4 / side)
    return fig, ax


def heat_maps(matrices: Tensor, names: Sequence[str], titles: Sequence[str], pyplot: bool = True) -> Any:
    """One heat map for each title, at most five in a row."""
    fig, axes = _grid(len(titles), 4.2, 3.4, pyplot)
    for ax, matrix, title in zip(axes.flat, matrices, titles, strict=False):
        heat_map(matrix, names, ax, title)
    return fig, axes


def curves(
    thresholds: Tensor,
    scores: Mapping[str, Tensor],
    best: tuple[str, float, float],
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Scores over the threshold; ``best`` is what is marked: a name in ``scores``, the threshold, the score.

    With a ``title`` it is one of several, which share a legend.
    """
    fig, ax = (None, ax) if ax is not None else figure(6.4, 4.0)
    x, (name, chosen, height) = thresholds.tolist(), best
    for label, values in scores.items():
        color, style = CURVES[label]
        ax.plot(x, values.tolist(), label=label, color=color, linestyle=style, clip_on=False)
    text = "no positive pixel in the target"
    if chosen == chosen:
        text = f"best {name} {height:.4f} at {chosen:.4g}"
        ax.axvline(chosen, color="#888888", linewidth=0.8, zorder=1.5)
        mark = {"color": CURVES[name][0], "markeredgecolor": "white", "clip_on": False}
        ax.plot([chosen], [height], "o", markersize=8, zorder=4, **mark)
    ax.set_title(text if title is None else f"{_literal(title)}\n{text}", size=10, loc="left")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xlabel("threshold")
    ax.set_ylabel("score")
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    if title is None:
        ax.legend(fontsize=8, framealpha=0.9, edgecolor="none")
    return fig, ax


def many_curves(
    thresholds: Tensor, scores: Mapping[str, Tensor], best: tuple[str, Tensor, Tensor], titles: Sequence[str]
) -> Any:
    """The curves of each title, at most five in a row; scores are ``(L, T)``, the best ``(L,)``."""
    fig, axes = _grid(len(titles), 3.6, 3.0, True)
    for row, (ax, title) in enumerate(zip(axes.flat, titles, strict=False)):
        marked = best[0], float(best[1][row]), float(best[2][row])
        curves(thresholds, {name: values[row] for name, values in scores.items()}, marked, ax, title)
    lines, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(lines, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=8)
    return fig, axes


def _grid(number: int, width: float, height: float, pyplot: bool) -> Any:
    """A figure with as many axes, at most five in a row, each of a size in inches."""
    columns = min(5, number)
    rows = -(-number // columns)
    fig, axes = figure(width * columns, height * rows, pyplot, nrows=rows, ncols=columns, squeeze=False)
    for ax in axes.flat[number:]:
        ax.remove()
    return fig, axes


def _literal(name: str) -> str:
    """A name that matplotlib does not read as mathematics."""
    return name.replace("$", r"\$")


def _short(value: float, share: bool) -> str:
    """A cell's text: a share with two digits, a count with at most four characters."""
    if share or value < 10_000:
        return f"{value:.2f}" if share else f"{value:.0f}"
    for unit in ("", "k", "M", "G"):
        if value < 1000:
            return f"{value:.0f}{unit}" if value >= 10 or not unit else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.0f}T"
