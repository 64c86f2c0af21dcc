"""Compare plain C with LiteRT's reference kernels on all test images of CIFAR-10, and on a chip.

    python -m benchmarks.exact_c [--out benchmarks/receipts/exact_c.json]

Each network of `saved_models` is written as C, compiled for this machine, and computes all 10,000
test images; every stored output must be that of LiteRT's reference kernels. The first ten images
also run on a Cortex-M4 in QEMU. The receipt has one row for each network.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from kcnn.data import load_arrays
from kcnn.provenance import sha256, timestamp
from kcnn.run_dir import atomic
from kcnn.runtimes import litert, plain_c, run_on_chip

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ("resnet8_int8", "simple_cnn", "resnet20")
_ON_CHIP = 10
_TIMEOUT = 7200.0


def measure(name: str, images: np.ndarray) -> dict[str, object]:
    """Return the row of a network.

    Args:
        name: of its folder in `saved_models`.
        images: uint8 `(count, height, width, channels)`.

    Raises:
        RuntimeError: a runtime fails, or the chip's memory is too small.
    """
    file = ROOT / "saved_models" / name / "model_int8.tflite"
    data = file.read_bytes()
    native = plain_c.run(data, images, timeout=_TIMEOUT)
    reference = litert.run(data, images, kernels="reference", timeout=_TIMEOUT)
    row: dict[str, object] = {
        "network": name,
        "sha256": sha256(file),
        "images": len(images),
        "exact": int((native.outputs == reference.outputs).all(axis=1).sum()),
        "plain_c_milliseconds": round(native.milliseconds_per_image, 3),
        "reference_milliseconds": round(reference.milliseconds_per_image, 3),
    }
    found = run_on_chip(data, images[:_ON_CHIP], timeout=_TIMEOUT)
    exact = (found.outputs == reference.outputs[:_ON_CHIP]).all(axis=1)
    return row | {
        "chip": found.chip,
        "chip_images": len(exact),
        "chip_exact": int(exact.sum()),
        "instructions_per_image": found.instructions,
        "stack_bytes": found.stack_bytes,
        "ram_bytes": found.ram_bytes,
        "flash_bytes": found.flash_bytes,
    }


def main() -> None:
    """Measure all networks, and write the receipt after each of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="where prepared tfds data sets lie")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/receipts/exact_c.json")
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    options = parser.parse_args()
    images = np.asarray(load_arrays("cifar10", data_dir=options.data_dir).test.images)
    rows = []
    for name in options.networks:
        rows.append(measure(name, images))
        receipt = {
            "created": timestamp(),
            "versions": {each: version(each) for each in ("kcnn", "ai-edge-litert")},
            "rows": rows,
        }
        with atomic(options.out) as temporary:
            temporary.write_text(json.dumps(receipt, indent=2) + "\n")
        print(json.dumps(rows[-1]))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
