"""The page that classifies pictures in a browser: its files, without LiteRT.js from npm."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kcnn.litert.every_map import with_last_maps
from kcnn.litert.final_activation import final_activation
from kcnn.litert.labels import read_labels
from kcnn.runtimes.installation import LITERT_JS_VERSION, PAGE
from kcnn.runtimes.runtime import prepare

MODULES = (
    *("words.js", "language.js", "litert.js", "picture.js"),
    *("classes.js", "elements.js", "camera.js", "keys.js", "colors.js"),
    *("compute.js", "network.js", "heat.js", "answers.js", "stage.js"),
)
"""What `classify.js` shares with the page of `kcnn explore`, each after those that it imports."""

FILES = (
    *("index.html", "style.css", "classify.js", *MODULES),
    *("package.json", "package-lock.json"),
)
_MODEL, _FACTS, _GOLDEN = "model.tflite", "page.json", "golden_images.bin"
_NETWORK = "heat_map.tflite"


def write_page(
    folder: Path,
    model: bytes,
    images: np.ndarray,
    outputs: np.ndarray | None = None,
    *,
    title: str = "Classify a picture",
    threshold: float | None = None,
    heat_map: bool = True,
) -> None:
    """Write a page that classifies the golden images, and pictures that a visitor drops on it.

    It is the small form of the page of `kcnn explore`, and draws the same heat maps.

    `npm ci` and `npm start` in the folder serve it; so does any server of static files.

    Args:
        folder: where the page is written; created if it does not exist.
        model: the bytes of a `.tflite` file with uint8 (or float32) input and output: LiteRT.js
            has no int8 tensors.
        images: golden images, uint8 `(count, height, width, channels)`.
        outputs: the model's stored outputs for them in LiteRT, `(count, classes)`; the page shows
            whether it computes the same. None shows no golden images.
        title: of the page.
        threshold: the probability from which the page calls a class predicted; None where it is the
            most probable one.
        heat_map: write what the page's heat maps need, too: a second file of the model, of about
            the same size.

    Raises:
        ValueError: the model is damaged, is no classifier of these images, or takes int8.
    """
    task = prepare(model, images)
    source, target = task.source, task.target
    if {source.dtype, target.dtype} - {"uint8", "float32"}:
        raise ValueError(
            f'LiteRT.js has no {source.dtype} tensors: export the model for it with io="uint8".'
        )
    facts = {
        "title": title,
        "model": _MODEL,
        "image": source.shape[1:],
        "labels": [*read_labels(model)],
        "output": {
            "scale": target.scale,
            "zero_point": target.zero_point,
            "activation": _left_to_apply(model, target.shape[1]),
        },
        "threshold": threshold,
        "about": f"{_MODEL}, {len(model):,} bytes, run by LiteRT.js {LITERT_JS_VERSION}.",
        "golden": outputs is not None
        and {"images": _GOLDEN, "outputs": np.asarray(outputs).tolist()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(PAGE / name, folder / name)
    contents = {_MODEL: model}
    if heat_map:
        facts["network"], contents[_NETWORK] = _network(model)
    contents[_FACTS] = json.dumps(facts, indent=1).encode()
    if outputs is not None:
        contents[_GOLDEN] = np.asarray(images).tobytes()
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _left_to_apply(model: bytes, outputs: int) -> str | None:
    """Return what turns a file's outputs into probabilities; None if they are probabilities."""
    if final_activation(model) in ("softmax", "sigmoid"):
        return None
    return "sigmoid" if outputs == 1 else "softmax"


def _network(model: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the model with the outputs that a heat map needs: what describes it, and its bytes."""
    opened = with_last_maps(model, Path(_NETWORK))
    layers = [asdict(layer) for layer in opened.layers]
    return {"model": _NETWORK, "source": opened.source, "layers": layers}, opened.data
