"""Train on one device, on two and in two processes, and time the exchange of gradients.

    python -m benchmarks.large.devices                # about 5 minutes on two cores
    python -m benchmarks.large.devices --quick        # a check that it works

On JAX in float32. A process that shares the machine has one core of its own, so that two of them
compute as two machines would, and exchange gradients over the loopback.
"""

import argparse
import json
import os
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.large.figures import FILE, Figures, clock, end, keep, start

MODULE = "benchmarks.large.devices"
MODEL, BATCH, STEPS = "resnet20", 128, 20


def main() -> None:
    """Measure, and keep the figures."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps; no figures")
    parser.add_argument("--out", type=Path, default=FILE, help="the file of the figures")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        sys.stdout.write(json.dumps(_measure(**json.loads(given.job))) + "\n")
        return
    job = {"model": MODEL, "batch": BATCH, "steps": STEPS}
    if given.quick:
        job |= {"model": "resnet8", "batch": 16, "steps": 4}
    rows = []
    for title, devices, cores, share in (
        ("one device, one core", 1, 1, 1),
        ("half of the batch, one core", 1, 1, 2),
        ("one device, two cores", 1, 2, 1),
        ("two virtual devices, two cores", 2, 2, 1),
    ):
        alone = job | {"batch": job["batch"] // share, "cores": list(range(cores))}
        flags = f"--xla_force_host_platform_device_count={devices}"
        found = end(start(MODULE, alone, KERAS_BACKEND="jax", XLA_FLAGS=flags))
        rows.append({"what": title, **found})
    rows.append({"what": "two processes, a core each", **_two_processes(job)})
    for row in rows:
        sys.stdout.write(f"{json.dumps(row)}\n")
    if not given.quick:
        keep("devices", {"model": MODEL, "batch": BATCH, "rows": rows}, given.out)


def _two_processes(job: dict[str, Any]) -> Figures:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    variables = {"KERAS_BACKEND": "jax", "KERAS_DISTRIBUTION_JOB_ADDRESSES": address}
    variables |= {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    started = [
        start(MODULE, job | {"cores": [n]}, **variables, KERAS_DISTRIBUTION_PROCESS_ID=str(n))
        for n in range(2)
    ]
    try:
        return [end(each) for each in started][0]
    finally:
        for each in started:
            each.kill()


def _measure(model: str, batch: int, steps: int, cores: list[int]) -> Figures:
    """Return the seconds of a training step, and of the exchange of gradients."""
    os.sched_setaffinity(0, cores)
    import keras
    import numpy as np

    import kcnn
    from kcnn.data.in_memory import InMemory

    in_processes = "KERAS_DISTRIBUTION_PROCESS_ID" in os.environ
    if in_processes:
        keras.distribution.initialize()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch * steps + 20, 32, 32, 3), np.uint8)
    labels = np.arange(len(images)) % 10
    train, validation, test = (
        (images[part], labels[part]) for part in (slice(20, None), slice(10), slice(10, 20))
    )
    data = kcnn.data.JaxData(kcnn.data.load_arrays(InMemory.of(train, validation, test)), batch)
    keras.utils.set_random_seed(0)
    network = kcnn.models.build(model)
    timer = clock()
    with keras.distribution.DataParallel().scope():
        kcnn.train(network, data, epochs=1, optimizer="sgd", callbacks=[timer])
        size = 4 * sum(int(np.prod(each.shape)) for each in network.trainable_variables)
        figures = {
            "devices": len(keras.distribution.list_devices()),
            "batch": batch,
            "step_s": round(timer.seconds, 4),
            "gradient_bytes": size,
        }
        if in_processes:
            figures["exchange_s"] = _exchange(size)
    return figures


def _exchange(size: int) -> float:
    """Return the median seconds of an all-reduce of so many bytes."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("batch",))
    count = len(jax.devices())
    shape = (count, size // 4)
    sharding = NamedSharding(mesh, PartitionSpec("batch"))
    whole = NamedSharding(mesh, PartitionSpec())

    def of_device(place: Any) -> np.ndarray:
        return np.ones((1, shape[1]), np.float32)

    shares = jax.make_array_from_callback(shape, sharding, of_device)
    add = jax.jit(lambda each: each.sum(0), out_shardings=whole)
    seconds = []
    for _ in range(50):
        begun = time.perf_counter()
        add(shares).block_until_ready()
        seconds.append(time.perf_counter() - begun)
    return round(statistics.median(seconds[10:]), 5)


if __name__ == "__main__":
    main()
