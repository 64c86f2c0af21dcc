"""How pictures are written, and the one colour scale that heat maps have everywhere."""

import os
from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from kcnn.errors import unknown
from kcnn.run_dir import atomic

HEAT = "inferno"
"""Matplotlib's name of the colours of heat: even in lightness, and so readable without colour
vision; black where there is none."""


def check_suffix(path: str | os.PathLike, option: str = "") -> None:
    """Refuse a file name that does not end in a picture's suffix.

    Args:
        path: the file to write.
        option: the command's flag that named it, for the error.

    Raises:
        ValueError: matplotlib draws no such pictures.

    >>> check_suffix("grad_cam.png")
    """
    path, formats = Path(path), FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower()[1:] not in formats:
        kind = f"kind of picture in {option}" if option else "kind of picture"
        raise unknown(kind, path.name, (f".{name}" for name in formats))


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure to a picture file; its suffix names the format.

    Raises:
        ValueError: matplotlib draws no such pictures; nothing is written then.
    """
    check_suffix(path)  # without one, matplotlib would write to a name of its own
    with atomic(path) as temporary:
        figure.savefig(temporary)
