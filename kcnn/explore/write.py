"""Write the page: its texts, its networks and LiteRT.js in one file."""

import base64
import gzip
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kcnn.explore.networks import Networks
from kcnn.explore.patterns import patterns
from kcnn.litert.every_map import with_every_map
from kcnn.runtimes.installation import LITERT_JS_VERSION, PAGE, litert_js
from kcnn.runtimes.page import MODULES as SHARED
from kcnn.templates import policy_hash, templates
from kcnn.text_files import write_text

_OWN = Path(__file__).with_name("page")
# Each after those that it imports.
_MODULES = (
    *("texts.js", "view.js", "numbers.js", "player.js", "sums.js", "layers.js", "detail.js"),
    *("offline.js", "softmax.js", "explore.js"),
)
_LARGEST = 2**28  # bytes of models; a browser refuses a page with much more


def write_page(
    networks: Networks, path: str | os.PathLike, images: Mapping[str, np.ndarray] | None = None
) -> Path:
    """Write a page in which a visitor looks into a network.

    Use it to understand a model, or to show one: the page draws every layer with its feature maps
    and explains each of their numbers, classifies pictures and the camera's, with a heat map, and
    puts float and int8 side by side. It is one file, needs no network and sends nothing. Its heat
    maps are those of `kcnn.grad_cam`.

    Args:
        networks: what `find_networks` returns.
        path: the `.html` file to write, whole or not at all.
        images: pictures to begin with, by name: uint8 [height, width, channels] of the model's
            size. Three drawings follow them.

    Returns:
        The path.

    Raises:
        ValueError: the path or an image does not fit, or a model is damaged or too large.
        RuntimeError: LiteRT.js is not installed.

    >>> write_page(Networks("nothing", {}, (), (32, 32, 3)), "page.txt")
    Traceback (most recent call last):
    ValueError: The page to write must end in .html. Received: 'page.txt'.
    """
    path = Path(path)
    if path.suffix != ".html":
        raise ValueError(f"The page to write must end in .html. Received: {str(path)!r}.")
    if (size := sum(map(len, networks.files.values()))) > _LARGEST:
        raise ValueError(
            f"The page holds models of at most {_LARGEST:,} bytes. Received: {size:,} bytes."
        )
    page = _render(networks, {**(images or {}), **patterns(networks.image_shape)})
    write_text(path, page)
    return path


def _render(networks: Networks, images: Mapping[str, np.ndarray]) -> str:
    opened = {
        name: with_every_map(data, Path(networks.title)) for name, data in networks.files.items()
    }
    blocks = {f"model-{name}": _packed(each.data) for name, each in opened.items()}
    blocks |= {f"litert-{name}": _packed(data) for name, data in litert_js().items()}
    facts = {
        "image": networks.image_shape,
        "labels": networks.labels,
        "saved": networks.saved,
        "samples": [_sample(name, image, networks.image_shape) for name, image in images.items()],
        "networks": [
            {"id": name, "source": each.source, "layers": [asdict(layer) for layer in each.layers]}
            for name, each in opened.items()
        ],
    }
    return _page(
        title=networks.title,
        about=f"Made by kcnn. LiteRT.js {LITERT_JS_VERSION}, © Google LLC, Apache License 2.0.",
        networks=[*opened],
        facts=facts,
        blocks=blocks,
    )


def _page(**values: Any) -> str:
    """Fill the template; every value is escaped but kcnn's own style and scripts.

    The content security policy allows the one script that starts the page, and scripts that it has
    made itself (`blob:`). It allows no request.
    """
    style = (PAGE / "style.css").read_text("utf-8") + (_OWN / "explore.css").read_text("utf-8")
    start = (_OWN / "start.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; script-src '{policy_hash(start)}' blob: 'wasm-unsafe-eval'; "
        f"style-src '{policy_hash(style)}'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )
    modules = {name: (PAGE / name).read_text("utf-8") for name in SHARED}
    modules |= {name: (_OWN / name).read_text("utf-8") for name in _MODULES}
    template = templates(_OWN, html=True).get_template("explore.html.j2")
    return template.render(policy=policy, style=style, start=start, modules=modules, **values)


def _sample(name: str, image: np.ndarray, shape: tuple[int, ...]) -> dict[str, str]:
    image = np.asarray(image)
    if image.shape != tuple(shape) or image.dtype != np.uint8:
        raise ValueError(
            f"Expected uint8 images of raw pixels 0-255, shape {tuple(shape)}. Received: {name!r}, "
            f"{image.dtype}, shape {image.shape}."
        )
    return {"name": name, "pixels": _base64(np.ascontiguousarray(image).tobytes())}


def _packed(content: bytes) -> str:
    return _base64(gzip.compress(content, mtime=0))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
