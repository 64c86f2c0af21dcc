"""Where a training step's time goes: TensorFlow's operators by kind, from its own profiler.

    python -m benchmarks.operators resnet20 --batch 256

The milliseconds are those of the operators, which partly run side by side: their sum is more than
the step. It trains in the precision of the process, float32, on random images.
"""

import argparse
import re
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kcnn
from kcnn.models import build, names
from kcnn.report.markdown_table import markdown_table

_FIRST, _STEPS = 2, 3  # steps before the profile, and in it
_KINDS = {
    "kernels' gradients": r"BackpropFilter",
    "images' gradients": r"BackpropInput",
    "convolutions": r"Conv2D",
    "dense layers, convolutions as products": r"MatMul",
    "activations": r"[/_](re|ge)lu",
    "batch norms": r"BatchNorm|_bn",
    "pooling": r"Pool",
}


def kind_of(event: str) -> str | None:
    """Return the kind of an operator's event, whose name is "layer/operator:Kernel", or None.

    What XLA compiled is one event without a name of its own: GELU, see `kcnn.layers.gelu`.
    """
    if event.startswith("CpuExecutable::"):
        return "activations"
    if not event.startswith("StatefulPartitionedCall/"):
        return None
    return next((kind for kind, pattern in _KINDS.items() if re.search(pattern, event)), "others")


class _Profile(keras.callbacks.Callback):
    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder, self.steps = folder, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.steps == _FIRST:
            tf.profiler.experimental.start(self.folder)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1
        if self.steps == _FIRST + _STEPS:
            tf.profiler.experimental.stop()


def measure(model: keras.Model, batch: int) -> dict[str, float]:
    """Return the milliseconds of each kind of operator in a step of training, the longest first."""
    steps = _FIRST + _STEPS
    random = np.random.default_rng(0)
    count = 2 * batch * steps  # some are for validation
    images = random.integers(0, 256, (count, *model.input_shape[1:]), dtype=np.uint8)
    labels = np.arange(count) % model.output_shape[-1]
    data = kcnn.data.from_arrays(images, labels, batch_size=batch, augment="none")
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        kcnn.train(model, data, epochs=1, optimizer="sgd", callbacks=[_Profile(folder)])
        (file,) = Path(folder).rglob("*.xplane.pb")
        return _sums(file.read_bytes())


def _sums(profile: bytes) -> dict[str, float]:
    # Its type stubs lack what the compiler of protocol buffers generates.
    messages: Any = import_module("tensorflow.tsl.profiler.protobuf.xplane_pb2")
    space = messages.XSpace.FromString(profile)
    sums: Counter[str] = Counter()
    for plane in space.planes:
        for event in [event for line in plane.lines for event in line.events]:
            if kind := kind_of(plane.event_metadata[event.metadata_id].name):
                sums[kind] += event.duration_ps / 1e9 / _STEPS
    return dict(sums.most_common())


def main() -> None:
    """Print the table of one network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=names())
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    sums = measure(build(options.network), options.batch)
    total = sum(sums.values())
    rows = [(kind, f"{each:,.0f}", f"{each / total:.0%}") for kind, each in sums.items()]
    print(markdown_table(("operators", "ms", "share"), rows))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
