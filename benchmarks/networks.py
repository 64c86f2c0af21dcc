"""The same images and networks for all contestants, as files that any framework can read.

`python -m benchmarks.networks FOLDER JOB` writes them in its own process, so that the parent does
not load TensorFlow. A network is stored as `kcnn.compress.to_keras2` writes it for its child
process: the layers as plain data, the weights, and a probe, which is a few images and the answers
to them.
"""

import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import keras

    from kcnn.arithmetic.layer_calls import Tensor
    from kcnn.data.opened import Opened

CLASSES = 10
# The largest error of an answer to the probe, relative to the largest answer.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Images:
    """A source of images for `kcnn.data.load`: those that `write` stored in a folder."""

    folder: Path
    mirror: bool = True

    def open(self, data_dir: str | os.PathLike | None) -> "Opened":
        """Read the images into RAM."""
        from kcnn.data.examples import Examples
        from kcnn.data.opened import Opened

        images, labels = arrays(self.folder)
        names = tuple(map(str, range(CLASSES)))
        return Opened(Examples.from_arrays(images, labels), None, names)


def arrays(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 [N, 32, 32, 3], and their labels, int32 [N]."""
    return np.load(folder / "images.npy"), np.load(folder / "labels.npy")


def layers(folder: Path, model: str) -> list[dict]:
    """Return the layers of a network, as described by `kcnn.compress.to_keras2.describe_layers`."""
    return json.loads((folder / model / "job.json").read_text())["layers"]


def weights(folder: Path, model: str) -> dict[str, np.ndarray]:
    """Return the weights of a network by the names of `kcnn.compress.to_keras2.named_weights`."""
    return dict(np.load(folder / model / "weights.npz"))


def probe(folder: Path, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a few images, float32, and kcnn's answers to them."""
    stored = np.load(folder / model / "probe.npz")
    return stored["images"], stored["outputs"]


def difference(answers: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest error of the answers, relative to the largest expected answer.

    Raises:
        RuntimeError: the error is so large that this is another network.
    """
    found = float(np.abs(answers - expected).max() / max(1.0, np.abs(expected).max()))
    if not found <= TOLERANCE:
        raise RuntimeError(f"the rebuilt network is another one: its answers differ by {found:g}")
    return found


def build(folder: Path, model: str) -> "keras.Model":
    """Return the network as kcnn builds it."""
    from kcnn import models

    arguments = json.loads((folder / model / "arguments.json").read_text())
    return models.build(model, **arguments)


def write(folder: Path, job: dict) -> dict:
    """Write images and networks; return facts about them.

    Args:
        folder: where to write them.
        job: `models`, name -> arguments of the builder; `images`, the most images to write;
            `data_dir` of TensorFlow Datasets; `seed`.
    """
    import keras

    from kcnn.arithmetic import model_arithmetic
    from kcnn.compress.to_keras2 import write_job

    images, labels, name = _images(job["data_dir"], job["images"], job["seed"])
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    facts = {}
    for model, arguments in job["models"].items():
        (folder / model).mkdir()
        (folder / model / "arguments.json").write_text(json.dumps(arguments))
        keras.utils.set_random_seed(job["seed"])
        network = build(folder, model)
        write_job(folder / model, network)
        cost = model_arithmetic(network)
        facts[model] = {
            "macs": cost.macs,
            "parameters": cost.parameters,
            "moved": moved(network),
        }
    return {"data": name, "images": len(images), "models": facts}


def moved(model: "keras.Model") -> int:
    """Return how many values a training step moves for an image; see `benchmarks.limits`."""
    from kcnn.arithmetic.layer_calls import calls

    layers = [call for call in calls(model) if call.inputs]  # not the images themselves
    return sum(3 * _size(call.inputs) + 2 * _size(call.outputs) for call in layers)


def _size(tensors: "Iterable[Tensor]") -> int:
    return sum(math.prod(length or 1 for length in tensor.shape[1:]) for tensor in tensors)


def _images(data_dir: str | None, limit: int, seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return CIFAR-10 if it is prepared, else random images: a benchmark downloads nothing."""
    home = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    if (home / "cifar10").is_dir():
        from kcnn.data import load_arrays

        train = load_arrays("cifar10", data_dir=home).train
        return train.images[:limit], train.labels[:limit], "cifar10"
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (limit, 32, 32, 3), np.uint8)
    return images, np.arange(limit, dtype=np.int32) % CLASSES, "synthetic"


if __name__ == "__main__":
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    reports.write(json.dumps(write(Path(sys.argv[1]), json.loads(sys.argv[2]))) + "\n")
    reports.flush()
