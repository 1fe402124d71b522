"""Masks that belong together: files of several folders with the same relative path and stem."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from segiou.evaluation.mask_files import JPEG, SUFFIXES, is_lossy, suffix_of
from segiou.evaluation.masks import shown


@dataclass(frozen=True)
class Item:
    """One image. ``name``: its relative path without suffixes. ``preds``: of each model. ``label``: the truth."""

    name: str
    preds: tuple[Path, ...]
    label: Path


@dataclass(frozen=True)
class Pairing:
    """What was found.

    ``items``: sorted by name. ``unpaired``: names of what could not be paired, and why. ``files``: all masks that
    were found, paired or not, also those of JPEG, which are refused.
    """

    items: tuple[Item, ...]
    unpaired: tuple[tuple[str, str], ...]
    files: tuple[Path, ...] = ()


def pair(preds: Sequence[Path], label: Path, pred_suffix: str = "", label_suffix: str = "") -> Pairing:
    """Pair predictions with labels.

    Args:
        preds: a folder of predictions of each model; or a file of each.
        label: the folder of labels; or one file.
        pred_suffix: what stems of predictions end with, and labels do not. Files that end otherwise are left aside.
        label_suffix: likewise of labels.

    Raises:
        ValueError: no such folder, a folder and a file, a folder without masks, or nothing that pairs.
    """
    places = [*preds, label]
    require_present(places)
    if not any(place.is_dir() for place in places):
        return Pairing((Item(stem_of(label), tuple(preds), label),), (), tuple(places))
    if not all(place.is_dir() for place in places):
        kinds = ", ".join(f"{place} ({'folder' if place.is_dir() else 'file'})" for place in places)
        raise ValueError(f"pass folders, or one file each, got {kinds}")
    suffixes = [*[pred_suffix] * len(preds), label_suffix]
    listed = [sorted(files_below(place)) for place in places]
    found = [_named(*each) for each in zip(places, listed, suffixes, strict=True)]
    names = sorted(set().union(*found))
    whole = [name for name in names if all(len(files.get(name, [])) == 1 for files in found)]
    if not whole:
        firsts = "; ".join(f"{place} has {min(files)!r}" for place, files in zip(places, found, strict=True))
        raise ValueError(f"no file pairs: {firsts}: pass --pred-suffix or --label-suffix for what their names end with")
    items = [Item(name, tuple(files[name][0] for files in found[:-1]), found[-1][name][0]) for name in whole]
    lossy = [_lossy(*each) for each in zip(places, listed, suffixes, strict=True)]
    unpaired = tuple(_unpaired(places, found, lossy, sorted({*names} - {*whole})))
    masks = tuple(path for each in listed for path in each if suffix_of(path) is not None or is_lossy(path))
    return Pairing(tuple(items), unpaired, masks)


def require_present(places: Sequence[Path]) -> None:
    """Raise ValueError for the first folder or file that does not exist."""
    for place in places:
        if not place.exists():
            raise ValueError(f"{place} does not exist")


def stem_of(path: PurePath) -> str:
    """The name of a file without the suffix by which it is read."""
    return path.name[: -len(suffix_of(Path(path)) or path.suffix) or None]


def _named(folder: Path, paths: Sequence[Path], suffix: str) -> dict[str, list[Path]]:
    """The masks among the files of a folder by the name that pairs them."""
    found: dict[str, list[Path]] = {}
    others: set[str] = set()
    for path in paths:
        if suffix_of(path) is None:
            others.add(path.suffix or path.name)
            continue
        stem = stem_of(path)
        if stem.endswith(suffix):
            name = shown(path.parent.relative_to(folder) / stem.removesuffix(suffix))
            found.setdefault(name, []).append(path)
        else:
            others.add(path.name)
    if not found:
        ending = f" whose stem ends with {suffix!r}" if suffix else ""
        seen = f", but {', '.join(sorted(others)[:3])}" if others else ""
        lossy = next((path for path in paths if is_lossy(path)), None)
        reason = "" if lossy is None else f": {shown(lossy.relative_to(folder))} {JPEG}"
        raise ValueError(f"{folder} holds no mask ({', '.join(SUFFIXES)}){ending}{seen}{reason}")
    return found


def _lossy(folder: Path, paths: Sequence[Path], suffix: str) -> dict[str, Path]:
    """The JPEGs among the files of a folder by the name that would pair them."""
    found = {path: path.parent.relative_to(folder) / path.stem.removesuffix(suffix) for path in paths if is_lossy(path)}
    return {shown(name): path for path, name in found.items()}


def files_below(folder: Path) -> Iterator[Path]:
    """All files below but hidden ones, links to folders followed, but not to one that is above."""
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        above = {os.path.realpath(parent) for parent in (Path(place), *Path(place).parents)}
        folders[:] = [
            name for name in folders if not _is_hidden(name) and os.path.realpath(Path(place, name)) not in above
        ]
        yield from (Path(place, name) for name in files if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    """Whether it is one of those that systems and notebooks leave in folders: ._x.png, .ipynb_checkpoints."""
    return name.startswith(".") or name == "__MACOSX"


def _refuse(error: OSError) -> None:
    raise ValueError(f"{error.filename} cannot be read ({error.strerror})") from error


def _unpaired(
    places: Sequence[Path],
    found: Sequence[dict[str, list[Path]]],
    lossy: Sequence[dict[str, Path]],
    names: Sequence[str],
) -> Iterator[tuple[str, str]]:
    for name in names:
        doubled = [files[name] for files in found if len(files.get(name, [])) > 1]
        if doubled:
            yield name, f"several files of one name: {', '.join(map(shown, sorted(doubled[0])))}"
            continue
        lacking = [shown(place) for place, files in zip(places, found, strict=True) if name not in files]
        jpeg = next((files[name] for files in lossy if name in files), None)
        reason = "" if jpeg is None else f": {shown(jpeg)} {JPEG}"
        yield name, f"nothing of this name in {', '.join(lacking)}{reason}"
