"""LiteRT.js in Chromium, driven by the bundle's own page, as the browser of a phone runs it."""

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kcnn.runtimes.browser import open_page
from kcnn.runtimes.installation import (
    LITERT_JS_VERSION,
    PAGE,
    browser,
    litert_js_folder,
    missing_litert_js,
)
from kcnn.runtimes.page import FILES as PAGE_FILES
from kcnn.runtimes.page import write_page
from kcnn.runtimes.page_server import Find
from kcnn.runtimes.runtime import TIMEOUT, Run, prepare
from kcnn.runtimes.times import times_of

_BATCH = 64
_TITLE = "LiteRT.js"


def run(model: bytes, images: np.ndarray, *, timeout: float = TIMEOUT) -> Run:
    """Classify images in LiteRT.js; see `Classify`.

    The file must have uint8 (or float32) input and output: LiteRT.js has no int8 tensors.

    Raises:
        ValueError: the file is damaged, is no classifier of these images, or takes int8.
        RuntimeError: LiteRT.js is not installed, refuses the file, crashes on it or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        write_page(Path(folder), model, images, heat_map=False)
        return run_page(Path(folder), images, timeout=timeout)


def run_page(folder: Path, images: np.ndarray, *, timeout: float = TIMEOUT) -> Run:
    """Classify images with the model of a page that `write_page` wrote.

    Only the model is read from the folder. The code that runs is kcnn's own, because the folder may
    come from a stranger.

    Raises:
        ValueError: the folder holds no such page, or its model takes other images.
        RuntimeError: as `run`.
    """
    try:
        facts = json.loads((folder / "page.json").read_text())
        model = (folder / facts["model"]).read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{str(folder)!r} holds no page of a classifier: {error}") from error
    task = prepare(model, images)
    result = _open(_finder(folder, images), timeout)
    outputs = np.array(result["outputs"], task.target.dtype)
    times = times_of(result["first"], result["milliseconds"])
    details = {"version": LITERT_JS_VERSION, "browser": result["browser"], "times": times}
    return task.answer(outputs, times.p50, details)


def shrink(model: bytes, photographs: Sequence[bytes], *, timeout: float = TIMEOUT) -> np.ndarray:
    """Return image files as the page feeds them to a model: uint8 `(count, height, width, c)`.

    Args:
        model: the bytes of a `.tflite` file with uint8 (or float32) input and output.
        photographs: image files that a browser can read, of any size.
        timeout: seconds after which the browser is ended.

    Raises:
        ValueError: the model is damaged or no classifier, or takes int8.
        RuntimeError: LiteRT.js is not installed, or a picture cannot be read.
    """
    task = prepare(model)
    shape = task.source.shape[1:]
    none = np.empty((0, *shape), np.uint8)
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        write_page(Path(folder), model, np.zeros((1, *shape), np.uint8), heat_map=False)
        result = _open(_finder(Path(folder), none, photographs), timeout)
    return np.array(result["pixels"], np.uint8).reshape(len(photographs), *shape)


def available() -> str | None:
    """Return None if LiteRT.js can run here, otherwise why not and what to do about it."""
    return missing_litert_js()


def _open(find: Find, timeout: float) -> dict[str, Any]:
    """Return what the page posts."""
    reason, chromium = available(), browser()
    if reason or chromium is None:
        raise RuntimeError(reason)
    result = open_page(chromium, find, "index.html?verify", timeout=timeout)
    if "error" in result:
        raise RuntimeError(f"{_TITLE} cannot run the model: {' '.join(result['error'].split())}")
    return result


def _finder(folder: Path, images: np.ndarray, photographs: Sequence[bytes] = ()) -> Find:
    """Return a function that finds the page's files, LiteRT.js and the images to classify."""
    batches = math.ceil(len(images) / _BATCH)
    job = json.dumps({"batches": batches, "photographs": len(photographs)}).encode()
    computed = {"verify/job.json": lambda: job}
    computed |= {
        f"verify/photographs/{index}": lambda content=content: content
        for index, content in enumerate(photographs)
    }
    computed |= {
        f"verify/images/{index}": lambda index=index: images[
            index * _BATCH : (index + 1) * _BATCH
        ].tobytes()
        for index in range(batches)
    }

    def find(path: str) -> bytes | None:
        if path in computed:
            return computed[path]()
        root = PAGE if path in PAGE_FILES else folder
        root = (litert_js_folder() if path.startswith("node_modules/") else root).resolve()
        file = (root / path).resolve()
        return file.read_bytes() if file.is_relative_to(root) and file.is_file() else None

    return find
