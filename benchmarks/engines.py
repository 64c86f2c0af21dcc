"""Compare kcnn's export with a way without `tf.lite`: Keras's LiteRT export, ai-edge-quantizer.

    pip install 'kcnn[engines]'
    python -m benchmarks.engines [--out benchmarks/receipts/engines.json]

Both get the same published network and the same 300 training images. Each int8 file classifies all
10,000 test images of CIFAR-10, and its logits are compared with those of the float Keras model. A
third engine gives kcnn's float file, in which the pixels' scaling is folded, to ai-edge-quantizer:
it shows what the quantizer alone does. `python docs/update_tables.py` writes the table.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from kcnn import models
from kcnn.data import Data, load
from kcnn.export import export_tflite
from kcnn.export.calibration import calibration_images
from kcnn.litert.native_log import native_log
from kcnn.pipeline.samples import spread_images
from kcnn.provenance import hardware, sha256, timestamp
from kcnn.run_dir import atomic

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ("resnet8_int8", "resnet20")
_CALIBRATED = 300

Engine = Callable[[keras.Model, np.ndarray, Path], bytes]


def by_kcnn(model: keras.Model, images: np.ndarray, folder: Path) -> bytes:
    """Return the file that `kcnn export` writes."""
    path = folder / "kcnn.tflite"
    export_tflite(model, path, calibration=images, samples=len(images), input_range="0..255")
    return path.read_bytes()


def by_keras(model: keras.Model, images: np.ndarray, folder: Path) -> bytes:
    """Return Keras's own LiteRT export, quantized by ai-edge-quantizer."""
    path = folder / "keras.tflite"
    signature = [keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32")]
    model.export(str(path), format="litert", input_signature=signature, verbose=False)
    return quantized(path, images)


def by_both(model: keras.Model, images: np.ndarray, folder: Path) -> bytes:
    """Return kcnn's float file, quantized by ai-edge-quantizer."""
    path = folder / "floats.tflite"
    export_tflite(model, path, quantization="none", input_range="0..255")
    return quantized(path, images)


ENGINES: dict[str, Engine] = {
    "kcnn": by_kcnn,
    "Keras LiteRT export, ai-edge-quantizer": by_keras,
    "kcnn's float file, ai-edge-quantizer": by_both,
}


def quantized(path: Path, images: np.ndarray) -> bytes:
    """Return a float file with int8 activations and kernels, by ai-edge-quantizer's recipe."""
    # An optional dependency, which type checkers need not find.
    quantizer, recipe = (
        import_module(f"ai_edge_quantizer.{name}") for name in ("quantizer", "recipe")
    )
    engine: Any = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
    (name, signature), *_ = Interpreter(str(path)).get_signature_list().items()
    (entry,) = signature["inputs"]
    batches = [{entry: image[None]} for image in images]
    measured = engine.calibrate({name: batches})
    return bytes(engine.quantize(measured).quantized_model)


def logits(data: bytes, images: np.ndarray) -> np.ndarray:
    """Return the real outputs of a file for raw pixels, float32 `(count, classes)`."""
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for image in images:
        interpreter.set_tensor(source["index"], _stored(image, source)[None])
        interpreter.invoke()
        scale, zero_point = target["quantization"]
        output = interpreter.get_tensor(target["index"])[0].astype(np.float32)
        found.append((output - zero_point) * scale if scale else output)
    return np.stack(found)


def _stored(image: np.ndarray, source: dict[str, Any]) -> np.ndarray:
    """Return what a file's input stores for raw pixels."""
    scale, zero_point = source["quantization"]
    if not scale:
        return image.astype(source["dtype"])
    limits = np.iinfo(source["dtype"])
    stored = np.round(image / scale) + zero_point
    return np.clip(stored, limits.min, limits.max).astype(source["dtype"])


def measure(name: str, data: Data, calibrated: np.ndarray) -> list[dict[str, object]]:
    """Return a row for each engine.

    Args:
        name: of the network's folder in `saved_models`.
        data: CIFAR-10.
        calibrated: training images, float32.
    """
    file = ROOT / "saved_models" / name / "model.keras"
    model = models.load(file)
    images, labels = spread_images(data, data.num_test)
    batches = [images[start : start + 250] for start in range(0, len(images), 250)]
    expected = np.concatenate([model.predict_on_batch(each) for each in batches])
    rows = []
    for engine, make in ENGINES.items():
        with tempfile.TemporaryDirectory(prefix="kcnn-") as folder:
            started = time.process_time()  # which other work on the machine does not lengthen
            with native_log():
                made = make(model, calibrated, Path(folder))
            seconds = time.process_time() - started
        found = logits(made, images)
        predicted = found.argmax(axis=1)
        rows.append(
            {
                "network": name,
                "sha256": sha256(file),
                "engine": engine,
                "bytes": len(made),
                "images": len(images),
                "accuracy": float((predicted == labels).mean()),
                "float_accuracy": float((expected.argmax(axis=1) == labels).mean()),
                "agreement": float((predicted == expected.argmax(axis=1)).mean()),
                "logit_error": float(np.sqrt(np.square(found - expected).mean())),
                "cpu_seconds": round(seconds, 2),
            }
        )
    return rows


def main() -> None:
    """Measure all networks and write the receipt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="where prepared tfds data sets lie")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/receipts/engines.json")
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    options = parser.parse_args()
    data = load("cifar10", batch_size=250, data_dir=options.data_dir)
    calibrated = calibration_images(data.calibration, data.image_shape, _CALIBRATED)
    packages = ("kcnn", "tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer")
    receipt = {
        "created": timestamp(),
        "versions": {each: version(each) for each in packages},
        "hardware": hardware(),
        "calibration_images": len(calibrated),
        "rows": [row for name in options.networks for row in measure(name, data, calibrated)],
    }
    with atomic(options.out) as temporary:
        temporary.write_text(json.dumps(receipt, indent=2) + "\n")
    print(json.dumps(receipt["rows"], indent=2))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
