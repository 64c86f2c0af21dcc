"""Bundles on every runtime: a published ResNet-8, and MobileNetV2 under a head for transfer.

    python -m benchmarks.bundles [resnet8_int8] [mobilenet_v2] [--images N]

Each is written as a bundle and run by LiteRT with three sets of kernels and its CompiledModel,
MediaPipe, TensorFlow Lite Micro of May 2024, of June 2024 and of today, plain C, and LiteRT.js in
Chromium. `python -m tests.old_micro` installs the two old versions. MobileNetV2 is built by
`keras.applications`, 0.35 times as wide, without weights of others, and trained briefly on CIFAR-10
by Keras's own `fit`. The receipt is `benchmarks/receipts/bundle_NAME.json`.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras

import kcnn
from kcnn import bundle
from kcnn.data import Data
from kcnn.pipeline.samples import spread_images
from kcnn.runtimes import RUNTIMES
from tests.campaign.architectures import build, train
from tests.old_micro import VERSIONS, runtime_of

ROOT = Path(__file__).resolve().parent.parent
_EPOCHS = 3


def resnet8(data: Data) -> keras.Model:
    """Return the published model."""
    return kcnn.models.load(ROOT / "saved_models/resnet8_int8/model.keras")


def mobilenet_v2(data: Data) -> keras.Model:
    """Return the usual model of transfer learning around MobileNetV2, trained briefly."""
    model = build("MobileNetV2")
    train(model, data, _EPOCHS)
    return model


MODELS: dict[str, Callable[[Data], keras.Model]] = {
    "resnet8_int8": resnet8,
    "mobilenet_v2": mobilenet_v2,
}


def main() -> int:
    """Return 0 if every runtime returns the answers that it must."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bundles")
    parser.add_argument("names", nargs="*", help=", ".join(MODELS))
    parser.add_argument("--images", type=int, default=1000, help="test images from all over")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data, failed = kcnn.data.load("cifar10", batch_size=128), False
    images, labels = spread_images(data, given.images)
    runtimes = [*RUNTIMES.values(), *map(runtime_of, VERSIONS)]
    for name in given.names or MODELS:
        model = MODELS[name](data)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / name
            bundle.write_bundle(model, folder, data=data, samples=1000, input_range="0..255")
            found = bundle.verify(folder, images, labels, runtimes=runtimes, timeout=3600)
        found.save(ROOT / f"benchmarks/receipts/bundle_{name}.json", data="cifar10")
        for result in found.results:
            sys.stdout.write(f"{name}: {result}\n")
        for line in found.failures:
            sys.stdout.write(f"{name}: {line}\n")
        failed = failed or bool(found.failures)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
