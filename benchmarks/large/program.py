"""What each of several devices computes and exchanges in a training step, as XLA compiles it.

    python -m benchmarks.large.program                # about a minute on two cores

The numbers are read from the compiled program of a step, for one device and for several virtual
ones; other work on the machine does not change them.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.large.figures import FILE, Figures, end, keep, start

MODULE = "benchmarks.large.program"
MODEL, BATCH, DEVICES = "resnet20", 128, (1, 2, 8)
_BYTES = {"f32": 4, "bf16": 2, "s32": 4, "u32": 4, "pred": 1}


def main() -> None:
    """Compile, and keep the figures."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE, help="the file of the figures")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        sys.stdout.write(json.dumps(_measure()) + "\n")
        return
    flags = f"--xla_force_host_platform_device_count={max(DEVICES)}"
    figures = end(start(MODULE, {}, KERAS_BACKEND="jax", XLA_FLAGS=flags))
    sys.stdout.write(f"{json.dumps(figures)}\n")
    keep("program", {"model": MODEL, "batch": BATCH, **figures}, given.out)


def _measure() -> Figures:
    import keras
    import numpy as np

    import kcnn
    from kcnn.data.in_memory import InMemory

    images = np.random.default_rng(0).integers(0, 256, (BATCH * 2, 32, 32, 3), np.uint8)
    labels = np.arange(len(images)) % 10
    few = images[:10], labels[:10]
    data = kcnn.data.JaxData(kcnn.data.load_arrays(InMemory.of((images, labels), few, few)), BATCH)
    network = kcnn.models.build(MODEL)
    network.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    network.optimizer.build(network.trainable_variables)
    rows = []
    for count in DEVICES:
        names = keras.distribution.list_devices()[:count]
        with keras.distribution.DataParallel(devices=names).scope():
            rows.append({"devices": count, **_step(network, data)})
    size = 4 * sum(int(np.prod(each.shape)) for each in network.trainable_variables)
    return {"gradient_bytes": size, "rows": rows}


def _step(network: Any, data: Any) -> Figures:
    """Return what one device does in a step."""
    import jax

    from kcnn.training.jax_steps import training_step
    from kcnn.training.loop_jax import JaxSteps
    from kcnn.training.objective import Objective
    from kcnn.training.placement import Placement

    steps = JaxSteps(network, data, Objective())
    body = training_step(network, data, Objective(), None, Placement.of_keras())
    draws = steps._draw(steps._train[1], 0)
    compiled = jax.jit(body).lower(0, (steps._read(), steps._sums), steps._train, draws).compile()
    cost: Any = compiled.cost_analysis()
    count, size = exchanged(compiled.as_text() or "")
    return {"flops": float(cost["flops"]), "exchanges": count, "exchanged_bytes": size}


def exchanged(program: str) -> tuple[int, int]:
    """Return how many all-reduces a program has, and the bytes that they add up.

    >>> exchanged("%a = (f32[3,2]{1,0}, /*index=1*/bf16[4]{0}) all-reduce(%b, %c), channel_id=1")
    (1, 32)
    """
    count = total = 0
    for line in program.splitlines():
        results, called, _ = line.replace("-start(", "(").partition(" all-reduce(")
        count += bool(called)
        for kind, sides in re.findall(r"(\w+)\[([\d,]*)\]", results if called else ""):
            total += _BYTES[kind] * _product(sides)
    return count, total


def _product(sides: str) -> int:
    count = 1
    for side in filter(None, sides.split(",")):
        count *= int(side)
    return count


if __name__ == "__main__":
    main()
