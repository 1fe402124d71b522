"""Score folders of masks from the shell. Three sets of real masks are written as PNG files, and scored; where there are
photos, a page shows them too.

    pip install -e ".[cli,report]" nilearn && pip install --no-deps stardist cw-eval
    python examples/evaluate_folder.py

The masks are in installed packages, nothing else is downloaded; a set whose package is missing is left out.

- nuclei (stardist): an image of 125 nuclei with hand-drawn masks, of the 2018 Data Science Bowl (Caicedo et al. 2019,
  "Nucleus segmentation across imaging experiments", Nature Methods 16). The prediction is Otsu's threshold.
- tissue (nilearn): grey and white matter of the MNI152 template (Fonov et al. 2011, "Unbiased average age-appropriate
  atlases for pediatric studies", NeuroImage 54), in slices. The prediction takes each pixel of the T1 image to the
  tissue whose mean it is nearer to; what lies outside the brain is 255, and ignored.
- buildings (cw-eval): outlines of buildings in Atlanta, as mapped and as predicted, with which the scoring package of
  the SpaceNet challenges is tested. They are filled here at half a metre a pixel.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

IGNORED = 255
Masks = dict[str, tuple[np.ndarray, ...]]  # prediction, label and, where there is one, the photo, uint8, by name


def packaged(package: str, path: str) -> Path:
    """A file of a package, which is not imported. Raises PackageNotFoundError."""
    return Path(str(distribution(package).locate_file(path)))


def otsu(image: np.ndarray) -> float:
    """The threshold that parts an image into two classes whose variances add up to the least (Otsu 1979)."""
    values, pixels = np.unique(image, return_counts=True)
    below = np.cumsum(pixels)[:-1]
    above = image.size - below
    low = np.cumsum(values * pixels)[:-1] / below
    high = (image.sum() - low * below) / above
    return float(values[np.argmax(below * above * (high - low) ** 2)])


def nuclei() -> Masks:
    """Background 0 and nuclei 1, in four quarters, with the photos."""
    image, ids = (
        np.array(Image.open(packaged("stardist", f"stardist/data/images/{name}2d.tif"))) for name in ("img", "mask")
    )
    image = np.log1p(image.astype(np.float64))  # some nuclei are ten times as bright as others
    preds, labels = (image > otsu(image)).astype(np.uint8), (ids > 0).astype(np.uint8)
    photo = (255 * (image - image.min()) / np.ptp(image)).astype(np.uint8)
    half = labels.shape[0] // 2
    quarters = {f"y{y}_x{x}": np.s_[y : y + half, x : x + half] for y in (0, half) for x in (0, half)}
    return {name: (preds[window], labels[window], photo[window]) for name, window in quarters.items()}


def tissue() -> Masks:
    """Grey matter 0, white matter 1 and the rest ignored, in every eighth slice from above."""
    import nibabel

    folder = packaged("nilearn", "nilearn/datasets/data")
    grey, white, t1 = (
        np.asarray(nibabel.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz").dataobj).astype(int)
        for name in ("gm", "wm", "t1")
    )
    brain = grey + white > 127  # of 255
    labels = np.where(brain, white > grey, IGNORED).astype(np.uint8)
    means = [t1[labels == tissue].mean() for tissue in (0, 1)]
    preds = (np.abs(t1 - means[1]) < np.abs(t1 - means[0])).astype(np.uint8)
    slices = [z for z in range(0, labels.shape[2], 8) if brain[:, :, z].any()]
    return {f"z{z:03}": (np.rot90(preds[:, :, z]), np.rot90(labels[:, :, z])) for z in slices}


def buildings() -> Masks:
    """Ground 0 and buildings 1, the scene in one image."""
    features = [
        json.loads(packaged("cw-eval", f"cw_eval/data/{name}.geojson").read_text())["features"]
        for name in ("pred", "gt")
    ]
    outlines = [[np.array(one["geometry"]["coordinates"][0])[:, :2] for one in several] for several in features]
    points = np.concatenate([*outlines[0], *outlines[1]])
    west, north, size = points[:, 0].min(), points[:, 1].max(), np.ceil(2 * np.ptp(points, axis=0)).astype(int)

    def drawn(polygons: list[np.ndarray]) -> np.ndarray:
        canvas = Image.new("L", tuple(int(side) for side in size))
        for polygon in polygons:
            ImageDraw.Draw(canvas).polygon([(2 * (x - west), 2 * (north - y)) for x, y in polygon], fill=1)
        return np.array(canvas)

    return {"atlanta": (drawn(outlines[0]), drawn(outlines[1]))}


SETS: dict[str, tuple[Callable[[], Masks], str, list[str], list[str]]] = {  # with the remedy, names and other options
    "nuclei": (nuclei, "pip install --no-deps stardist", ["background", "nucleus"], []),
    "tissue": (tissue, "pip install nilearn", ["grey matter", "white matter"], ["--ignore-index", str(IGNORED)]),
    "buildings": (buildings, "pip install --no-deps cw-eval", ["ground", "building"], []),
}


def write(masks: Masks, names: list[str], folder: Path) -> None:
    """Files such as ``folder/pred/NAME.png``, also in ``label`` and ``photo``; names in ``folder/names.txt``."""
    for name, parts in masks.items():
        for kind, pixels in zip(("pred", "label", "photo"), parts, strict=False):  # most sets have no photos
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(pixels)).save(folder / kind / f"{name}.png")
    (folder / "names.txt").write_text("\n".join(names) + "\n")


def made(folder: Path) -> list[str]:
    """Write all sets whose packages are there, and say which they are."""
    found = []
    for name, (make, remedy, classes, _) in SETS.items():
        try:
            write(make(), classes, folder / name)
            found.append(name)
        except (PackageNotFoundError, ModuleNotFoundError) as missing:
            print(f"{name} is left out, {missing.name} is not installed: {remedy}", flush=True)
    return found


def score(name: str, folder: Path) -> int:
    """Show the command, and run it; its exit status."""
    _, _, classes, options = SETS[name]
    given = [
        "pred",
        "label",
        "--num-classes",
        str(len(classes)),
        "--names",
        "names.txt",
        *options,
        "--json",
        "scores.json",
    ]
    if (folder / name / "photo").is_dir():
        given += ["--report", "report.html", "--images", "photo"]
    print(f"\n$ cd {folder / name}\n$ segiou evaluate {' '.join(given)}", flush=True)
    return subprocess.run(
        [sys.executable, "-m", "segiou", "evaluate", *given], cwd=folder / name, check=False
    ).returncode


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="folder for the masks and scores; none are kept without it")
    parser.add_argument("--only-write", action="store_true", help="write the masks, do not score them")
    return parser.parse_args()


def main() -> Any:
    args = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        names = made(folder)
        if not names:
            return "no set of masks could be written: install a package that is named above"
        return 0 if args.only_write else max((score(name, folder) for name in names), default=0)


if __name__ == "__main__":
    sys.exit(main())
