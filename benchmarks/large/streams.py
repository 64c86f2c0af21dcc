"""Read a large set from the disk, and train ResNet-50 on it: memory, speed and what limits it.

    python -m benchmarks.large.streams                # all of it; about 10 minutes on two cores
    python -m benchmarks.large.streams --quick        # a check that it works

Every measurement has a process of its own; nothing else should run beside it. What kcnn would hold
in RAM, sets of up to 1 GB, is read from the disk here as well.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.large import photographs
from benchmarks.large.figures import FILE, Figures, Memory, clock, end, keep, start

MODULE = "benchmarks.large.streams"
SIDE, BATCH = 224, 16


def main() -> None:
    """Make the sets, measure, and keep the figures."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(_PARTS)}; or all")
    parser.add_argument("--quick", action="store_true", help="few small images; no figures")
    parser.add_argument("--out", type=Path, default=FILE, help="the file of the figures")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if given.job:
        job = json.loads(given.job)
        figures = _JOBS[job.pop("what")](**job)
        sys.stdout.write(f"\n{json.dumps(figures)}\n")  # behind a progress bar
        sys.stdout.flush()
        os._exit(0)  # an orderly exit would wait for the threads of an input pipeline
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        for part in given.parts or _PARTS:
            figures = _PARTS[part](Path(folder), quick=given.quick)
            sys.stdout.write(f"{part}: {json.dumps(figures)}\n")
            sys.stdout.flush()
            if not given.quick:
                keep(part, figures, given.out)


def _read_sets(folder: Path, *, quick: bool) -> Figures:
    """Return what reading an epoch takes of small and large sets, in few shards and in many."""
    sets = ((160, 2),) if quick else ((1000, 4), (4000, 4), (4000, 32))
    return {"side": SIDE, "rows": [_read_set(folder, *each) for each in sets]}


def _read_set(folder: Path, count: int, shards: int) -> Figures:
    """Return what reading one epoch of a set takes, on each backend."""
    place = folder / f"{count}-in-{shards}"
    size = photographs.prepare(place, count, shards)
    job = {"what": "read", "name": f"kcnn_photographs/{count}", "folder": str(place)}
    found = {
        backend: end(
            start(MODULE, job, KERAS_BACKEND=backend, KCNN_DATA_CACHE=str(place / backend))
        )
        for backend in ("tensorflow", "jax")
    }
    return {"images": count, "shards": shards, "mb": round(size / 1e6), **found}


def _train_set(folder: Path, *, quick: bool) -> Figures:
    """Return what a training of one epoch takes, stopped in its middle and continued."""
    count, shards = (160, 2) if quick else (640, 4)
    place = folder / f"{count}-in-{shards}"
    photographs.prepare(place, count, shards)
    job = {"what": "train", "name": f"kcnn_photographs/{count}", "folder": str(place)}
    network = {"model": "resnet8" if quick else "resnet50", "steps": 2 if quick else 10}
    cache = {"KERAS_BACKEND": "tensorflow", "KCNN_DATA_CACHE": str(place / "kept")}
    parts = [end(start(MODULE, job | network, **cache)) for _ in range(2)]
    memory = end(start(MODULE, network | {"what": "memory"}, **cache))
    facts = {"side": SIDE, "batch": BATCH, "model": network["model"], "images": count}
    return {**facts, "parts": parts, "in_memory": memory}


def _load(name: str, folder: str) -> Any:
    """Return the set for Keras's backend, none of it held in RAM."""
    import keras

    import kcnn
    from kcnn.data import labelled

    labelled.RAM_LIMIT = 0
    source = kcnn.data.Tfds(name, image_size=(SIDE, SIDE))
    if keras.config.backend() == "jax":
        return kcnn.data.JaxData(kcnn.data.load_streams(source, data_dir=folder), BATCH)
    return kcnn.data.load(source, batch_size=BATCH, data_dir=folder)


def _read(name: str, folder: str) -> Figures:
    """Read one epoch, and train nothing."""
    import keras

    data = _load(name, folder)
    opened = time.perf_counter()
    with Memory().watched() as memory:
        if keras.config.backend() == "jax":
            import numpy as np

            from kcnn.training.loop_jax_stream import ahead

            part = data.arrays.train
            order = np.random.default_rng(0).permutation(len(part))
            batches = [order[at : at + BATCH] for at in range(0, len(part), BATCH)]
            count = sum(len(images) for images in ahead(part.read, batches))
        else:
            count = sum(len(images) for images, _ in data.train)
    return {
        "images_a_second": round(count / (time.perf_counter() - opened), 1),
        **memory.figures,
    }


def _train(name: str, folder: str, model: str, steps: int) -> Figures:
    """Train one epoch from its beginning, and end by SIGTERM after some steps; or go on with it."""
    import keras

    import kcnn
    from kcnn.training import Interrupted

    data: Any = _load(name, folder)
    state = Path(folder) / "state"
    going_on = state.is_dir()
    timer = clock(None if going_on else steps)
    figures: Figures = {"going_on": going_on}
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = _network(model, data.image_shape)
    with Memory().watched() as memory:
        try:
            kcnn.train(
                network,
                data,
                epochs=1,
                optimizer="sgd",
                learning_rate=0.01,
                callbacks=[timer],
                resume=state,
            )
        except Interrupted:
            pass
    return figures | {"steps": data.steps_per_epoch} | _speed(timer) | memory.figures


def _network(model: str, shape: tuple[int, ...]) -> Any:
    import kcnn

    options = {"stem": "paper"} if model == "resnet50" else {}
    classes = photographs.CLASSES
    return kcnn.models.build(model, input_shape=shape, num_classes=classes, **options)


def _in_memory(model: str, steps: int) -> Figures:
    """Train some steps on images that are in memory: what the step alone takes."""
    import keras
    import numpy as np

    import kcnn

    random = np.random.default_rng(0)
    few = photographs.CLASSES
    images = random.integers(0, 256, (BATCH * steps + 2 * few, SIDE, SIDE, 3), np.uint8)
    labels = np.arange(len(images)) % few
    data = kcnn.data.from_arrays(
        images[2 * few :],
        labels[2 * few :],
        validation=(images[:few], labels[:few]),
        test=(images[few : 2 * few], labels[few : 2 * few]),
        batch_size=BATCH,
    )
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = _network(model, data.image_shape)
    timer = clock()
    with Memory().watched() as memory:
        kcnn.train(network, data, epochs=1, optimizer="sgd", callbacks=[timer])
    return _speed(timer) | memory.figures


def _speed(clock: Any) -> Figures:
    return {
        "steps_taken": len(clock.ends),
        "images_a_second": round(BATCH / clock.seconds, 1),
    }


_PARTS = {"read": _read_sets, "train": _train_set}
_JOBS = {"read": _read, "train": _train, "memory": _in_memory}


if __name__ == "__main__":
    main()
