"""Compress and export what people really have: networks of `keras.applications` under a new head.

    python -m tests.campaign.architectures [NAME ...]

Each is trained on digits by Keras's own `fit`, as in Keras's guide to transfer learning:
augmentation, preprocessing, the network as a layer, a dropout and a softmax. Then it is pruned,
clustered, slimmed and trained for int8, and every result is exported and scored beside its file.
All start from random weights; the networks for phones need more epochs, which are shorter.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

import kcnn
from kcnn.evaluation import agreement
from kcnn.provenance import hardware, timestamp, versions
from kcnn.run_dir import atomic

SIZE = (32, 32, 3)
WITHOUT: dict[str, Any] = {"weights": None, "include_top": False, "input_shape": SIZE}
applications: Any = keras.applications
# What builds each network, what scales its pixels, and the epochs of its training.
NETWORKS: dict[str, tuple[Callable[[], keras.Model], Callable, int]] = {
    "MobileNetV2": (
        lambda: applications.MobileNetV2(alpha=0.35, **WITHOUT),
        applications.mobilenet_v2.preprocess_input,
        60,
    ),
    "MobileNetV3Small": (
        lambda: applications.MobileNetV3Small(alpha=0.75, **WITHOUT),
        applications.mobilenet_v3.preprocess_input,
        60,
    ),
    "EfficientNetB0": (
        lambda: applications.EfficientNetB0(**WITHOUT),
        applications.efficientnet.preprocess_input,
        18,
    ),
    "ResNet50V2": (
        lambda: applications.ResNet50V2(**WITHOUT),
        applications.resnet_v2.preprocess_input,
        6,
    ),
    "DenseNet121": (
        lambda: applications.DenseNet121(**WITHOUT),
        applications.densenet.preprocess_input,
        6,
    ),
}


def build(name: str, classes: int = 10) -> keras.Model:
    """Return the usual model of transfer learning around a network."""
    keras.utils.set_random_seed(0)
    make, preprocess, _ = NETWORKS[name]
    network = make()
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # the training is short
    layers = keras.layers
    image = keras.Input(SIZE, name="photo")
    x = keras.Sequential([layers.RandomTranslation(0.1, 0.1)], name="augmentation")(image)
    x = layers.GlobalAveragePooling2D()(network(preprocess(x)))
    x = layers.Dense(classes, activation="softmax")(layers.Dropout(0.2)(x))
    return keras.Model(image, x, name=name.lower())


def train(model: keras.Model, data: kcnn.data.Data, epochs: int) -> None:
    """Train by Keras's own `fit`."""
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.train, epochs=epochs, verbose=0)


def techniques(
    model: keras.Model, data: kcnn.data.Data, epochs: int
) -> Iterator[tuple[str, keras.Model]]:
    """Yield what each technique makes of a model trained for some epochs.

    Removed filters need as many again, rounded weights half of them, zeros and shared values a
    sixth.
    """
    yield "as trained", model
    for engine in ("keras", "tfmot"):
        pruned = kcnn.prune(model, data, sparsity=0.5, epochs=epochs // 6, engine=engine)
        yield f"pruned by {engine}", pruned.model
    yield "clustered", kcnn.cluster(model, data, clusters=32, epochs=epochs // 6).model
    logits = kcnn.models.as_layers(model, logits=True)
    slim = kcnn.slim(logits, macs=0.8)
    kcnn.compress.recover(slim.model, data, epochs=epochs)
    yield "slim", slim.model
    aware = kcnn.quantize_aware(model, data, epochs=epochs // 2, control=False)
    yield "trained for int8", aware.model


def scores(model: keras.Model, data: kcnn.data.Data, folder: Path) -> dict[str, Any]:
    """Return the accuracy of a model and of its int8 file, and how often they agree."""
    file = folder / "model.tflite"
    result = kcnn.export_tflite(
        model, file, calibration=data.calibration, samples=100, input_range="0..255"
    )
    found = agreement(file, model, data.test, expected_count=data.num_test)
    return {
        "model": round(found.second_accuracy, 4),
        "file": round(found.first_accuracy, 4),
        "same class": round(found.share, 4),
        "bytes": result.bytes,
        "operators": dict(result.operators),
    }


def main() -> int:
    """Return 0 if everything ran, and every file predicts as its model does."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.architectures")
    parser.add_argument("names", nargs="*", help=", ".join(NETWORKS))
    parser.add_argument("--out", type=Path, default=Path("docs/architectures.json"))
    given = parser.parse_args()
    report = json.loads(given.out.read_text()) if given.out.is_file() else {}
    data, held = kcnn.data.load("digits", batch_size=64), True
    for name in given.names or NETWORKS:
        started, model, epochs = time.monotonic(), build(name), NETWORKS[name][-1]
        train(model, data, epochs)
        found = {}
        for technique, made in techniques(model, data, epochs):
            with tempfile.TemporaryDirectory() as folder:
                found[technique] = scores(made, data, Path(folder))
            sys.stdout.write(f"{name}, {technique}: {found[technique]}\n")
            sys.stdout.flush()
            held = held and found[technique]["same class"] >= 0.9
        report[name] = {
            "epochs": epochs,
            "found": found,
            "minutes": round((time.monotonic() - started) / 60, 1),
            "date": timestamp(),
            "hardware": hardware(),
            "versions": versions(("kcnn", "tensorflow", "keras", "ai-edge-litert")),
        }
        with atomic(given.out) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
