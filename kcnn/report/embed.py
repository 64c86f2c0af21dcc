"""Pictures embedded in a page, with their size and a description for readers who cannot see."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from kcnn.errors import one_line

_LARGE = 300_000  # bytes; above, a picture is compressed with loss, so that a page stays light
_SIDE = 1600  # pixels


@dataclass(frozen=True)
class Picture:
    """A picture embedded in a page.

    Attributes:
        source: a data URI.
        width: in pixels.
        height: in pixels.
        alt: a description of the picture.
    """

    source: str
    width: int
    height: int
    alt: str


def embed_file(path: Path, alt: str) -> Picture:
    """Return a picture file for a page, compressed if it is large.

    Raises:
        ValueError: the file is no picture.
    """
    content, kind = path.read_bytes(), "png"
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            if len(content) > _LARGE:
                content, kind = _compress(image), "webp"
    except Exception as error:  # Pillow's decoders raise nearly every kind of it
        raise ValueError(f"{str(path)!r} is no picture: {one_line(error)}.") from error
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    return Picture(_uri(content, f"image/{kind}"), width, height, alt)


def embed_figure(figure: Figure, alt: str) -> Picture:
    """Return a figure for a page, as SVG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "kcnn"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    # matplotlib writes SVG at 72 points an inch; browsers show an inch as 96 pixels.
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Picture(_uri(buffer.getvalue(), "image/svg+xml"), width, height, alt)


def _compress(image: Image.Image) -> bytes:
    image = image.convert("RGB")
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=80)
    return buffer.getvalue()


def _uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
