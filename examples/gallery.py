"""What the examples share: options of the command line, and the look of their pictures."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from PIL import Image

# Of Okabe and Ito, which most colour-blind readers tell apart.
BLUE, RED, GREEN, ORANGE, PURPLE = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7"
GREY = "#888888"
CLASSES = to_rgba_array([BLUE, ORANGE, GREEN])[:, :3]


def panels(*titles: str, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    """A row of square panels without ticks, to draw points of the plane in."""
    size = (height * len(titles), height)
    figure, axes = plt.subplots(1, len(titles), figsize=size, squeeze=False, layout="constrained")
    for each, title in zip(axes[0], titles, strict=True):
        each.set_title(title, fontsize=9)
        each.set_aspect("equal")
        each.set_xticks([])
        each.set_yticks([])
    return figure, list(axes[0])


def save(figure: Figure, file: Path) -> None:
    """Writes the picture, and makes its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=90, bbox_inches="tight")
    plt.close(figure)
    # A palette makes files of 10 to 70 kB, a quarter of what they would be.
    Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(
        file, optimize=True
    )


def run(main: Callable[..., Figure]) -> None:
    """Runs an example: the parameters of `main` are options, and its picture goes to a folder."""
    name = Path(inspect.getfile(main)).stem
    parser = argparse.ArgumentParser(description=inspect.getdoc(main))
    parser.add_argument("--output", type=Path, default=Path("build/examples"), metavar="FOLDER")
    for option in inspect.signature(main).parameters.values():
        parser.add_argument(f"--{option.name}", type=type(option.default), default=option.default)
    options = vars(parser.parse_args())
    file = options.pop("output") / f"{name}.png"
    save(main(**options), file)
    print(f"picture: {file}")
