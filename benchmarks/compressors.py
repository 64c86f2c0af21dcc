"""Compare the two engines of `kcnn.prune` and `kcnn.cluster`: TF-MOT, and kcnn's own training.

    python -m benchmarks.compressors [--out benchmarks/receipts/compressors.json]

Both get the published ResNet-20 and the same settings, and all 10,000 test images of CIFAR-10 score
what they make of it, in floats and as int8. Nothing else should run meanwhile: the seconds are
those of the whole call. `python docs/update_tables.py` writes the table.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

import kcnn
from kcnn.data import Data
from kcnn.provenance import hardware, sha256, timestamp
from kcnn.run_dir import atomic

ROOT = Path(__file__).resolve().parent.parent
NETWORK = ROOT / "saved_models/resnet20/model.keras"
ENGINES = ("tfmot", "keras")
BATCH = 128
WORK: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "80 % zeros": (kcnn.prune, {"sparsity": 0.8, "epochs": 4, "learning_rate": 1e-3}),
    "16 values for each kernel": (kcnn.cluster, {"clusters": 16, "epochs": 1}),
}


def measure(
    compress: Callable[..., Any], model: keras.Model, data: Data, **settings: Any
) -> dict[str, Any]:
    """Compress a model and return what came of it.

    Args:
        compress: `kcnn.prune` or `kcnn.cluster`.
        model: a trained model.
        data: what it trains further with, and is scored by.
        **settings: for `compress`.
    """
    result = compress(model, data, **settings)
    floats = kcnn.evaluate(result.model, data.test, expected_count=data.num_test)
    with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
        path = Path(folder) / "model.tflite"
        exported = kcnn.export_tflite(
            result.model, path, calibration=data.calibration, samples=1000
        )
        int8 = kcnn.evaluate(path, data.test, expected_count=data.num_test)
    return {
        **settings,
        "seconds": round(result.seconds, 1),
        "images": floats.count,
        "accuracy": floats.accuracy,
        "int8_accuracy": int8.accuracy,
        "int8_gzip_bytes": exported.gzip_bytes,
    }


def main() -> None:
    """Measure both engines and write the receipt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="where prepared tfds data sets lie")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/receipts/compressors.json")
    options = parser.parse_args()
    data = kcnn.data.load("cifar10", validation=0.02, batch_size=BATCH, data_dir=options.data_dir)
    model = kcnn.models.load(NETWORK)
    before = kcnn.evaluate(model, data.test, expected_count=data.num_test)
    rows = [
        {"work": work} | measure(compress, model, data, engine=engine, **settings)
        for work, (compress, settings) in WORK.items()
        for engine in ENGINES
    ]
    packages = ("kcnn", "tensorflow", "keras", "tf-keras", "tensorflow-model-optimization")
    receipt = {
        "created": timestamp(),
        "versions": {each: version(each) for each in packages},
        "hardware": hardware(),
        "network": NETWORK.parent.name,
        "sha256": sha256(NETWORK),
        "accuracy": before.accuracy,
        "batch_size": BATCH,
        "train_images": data.num_train,
        "rows": rows,
    }
    with atomic(options.out) as temporary:
        temporary.write_text(json.dumps(receipt, indent=2) + "\n")
    print(json.dumps(rows, indent=2))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
