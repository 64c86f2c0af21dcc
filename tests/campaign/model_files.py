"""Models, bundles, images and data sets: a small valid file of each kind, and its loader."""

import os
import pickle
import random
import shutil
import signal
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tests.campaign.mutators import mutate_bytes, mutate_json
from tests.campaign.run_files import SAVED

_CHILD_SECONDS = 5


def bundle(folder: Path) -> list[Path]:
    from kcnn.bundle.manifest import Golden, Manifest
    from kcnn.litert import TensorSummary
    from kcnn.provenance import sha256

    draw = random.Random(0)
    names = (
        "model_int8.tflite",
        "model.keras",
        "golden/images.bin",
        "golden/outputs.bin",
        "README",
    )
    (folder / "golden").mkdir()
    for name in names:
        (folder / name).write_bytes(draw.randbytes(draw.randrange(40, 400)))
    Manifest(
        name="tiny",
        model=names[0],
        source=names[1],
        input=TensorSummary("image", "int8", (1, 4, 4, 3), 1.0, -128),
        output=TensorSummary("logits", "int8", (1, 3), 0.25, 3),
        labels=("ant", "bee", "cat"),
        golden=Golden(names[2], names[3], 2),
        test_accuracy=0.75,
        test_images=100,
        sha256={name: sha256(folder / name) for name in names},
        versions={"kcnn": "1", "keras": "3"},
        machine="x86_64",
        created="2026-01-01T00:00:00",
    ).save(folder)
    return [folder / name for name in names]


def manifest(folder: Path) -> list[Path]:
    bundle(folder)
    return [folder / "bundle.json"]


def load_bundle(path: Path) -> Any:
    from kcnn.bundle import read

    folder = path.parent if path.parent.name != "golden" else path.parents[1]
    return read(folder)


def keras(folder: Path) -> list[Path]:
    import keras

    from kcnn import models

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 2), layers.Flatten(), layers.Dense(2)]
    )
    return [models.save(model, folder / "model.keras")]


def load_keras(path: Path) -> Any:
    from kcnn import models

    model = models.load(path)
    return pickle.dumps((model.get_config(), model.get_weights()))


def published(folder: Path) -> list[Path]:
    import keras

    from kcnn import models

    keras.utils.set_random_seed(0)
    arguments = {"units": 2, "depth": 1, "input_shape": (4, 4, 1), "num_classes": 2}
    model = models.build("mlp", **arguments)
    manifest = models.publish(model, folder, "mlp", arguments, ("cat", "dog"))
    return [manifest, folder / "weights.npz"]


def load_published(path: Path) -> Any:
    from kcnn import models

    return pickle.dumps(models.load_published(path.parent).get_weights())


def published_json(content: bytes, draw: random.Random) -> bytes:
    return (mutate_json if content[:1] == b"{" else mutate_bytes)(content, draw)


def images(folder: Path) -> list[Path]:
    from PIL import Image, ImageCms

    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    image, profile = (
        Image.fromarray(pixels),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in ("png", "jpg", "webp", "bmp", "gif"):
        image.save(folder / f"a.{suffix}", exif=exif)
    image.save(folder / "profile.jpg", icc_profile=profile.tobytes())
    image.convert("I;16").save(folder / "deep.png")
    image.convert("P").save(folder / "palette.png", transparency=3)
    image.save(folder / "moving.gif", save_all=True, append_images=[image.rotate(90)])
    image.save(folder / "lossless.webp", lossless=True)
    return sorted(folder.iterdir())


def load_image(path: Path) -> Any:
    from kcnn.data.images import read_image, read_size

    read_size(path)
    read_image(path)
    return read_image(path, (8, 8)).tobytes()


def npz(folder: Path) -> list[Path]:
    from kcnn.data import array_file
    from kcnn.data.labelled import LabelledImages
    from kcnn.data.opened import Opened

    images = np.random.default_rng(0).integers(0, 256, (10, 3, 3, 1), np.uint8)
    part = LabelledImages(images, np.arange(10, dtype=np.int32))
    test = LabelledImages(images[:4], part.labels[:4])
    path = folder / "set.npz"
    array_file.write(path, Opened(part, test, tuple("abcdefghij")), '{"folder": "x"}')
    return [path]


def load_npz(path: Path) -> Any:
    from kcnn.data import array_file

    opened, note = array_file.read(path)
    if not note:
        raise ValueError(f"{path} has no note: the cache does not use it.")
    parts = (opened.train, opened.test)
    arrays = [(each.images, each.labels) if each else None for each in parts]  # type: ignore
    return pickle.dumps((arrays, opened.class_names, note))


def records(folder: Path) -> list[Path]:
    return [file for file in _prepared(folder) if ".tfrecord" in file.name]


def descriptions(folder: Path) -> list[Path]:
    return [file for file in _prepared(folder) if ".tfrecord" not in file.name]


def _prepared(folder: Path) -> list[Path]:
    from tests.campaign.tiny_set import prepare

    return prepare(folder)


def load_records(path: Path) -> Any:
    from tests.campaign.tiny_set import read

    return read(path)


def renewed(content: bytes, draw: random.Random) -> bytes:
    from tests.campaign.tiny_set import mutate_record

    return mutate_record(content, draw)


def tflite(folder: Path) -> list[Path]:
    return [Path(shutil.copy(SAVED / "resnet8_int8" / "model_int8.tflite", folder))]


def load_tflite(path: Path) -> Any:
    """Open and run it as kcnn does: in a child first, then here; every second one for its maps."""
    from kcnn.litert import TFLiteClassifier, trial

    data = path.read_bytes()
    with_map = bool(zlib.crc32(data) % 2)
    refusal = _in_child(path, "map" if with_map else "run")
    if refusal:
        raise ValueError(refusal)
    trial.trust(data)
    classifier = TFLiteClassifier(path, feature_map=with_map)
    return classifier(np.zeros((1, *classifier.input_shape), np.uint8)).tobytes()


def _in_child(path: Path, use: str) -> str:
    """Return why the child that tries a file refuses it; forked, because a start takes long."""
    from kcnn.litert import trial_child
    from kcnn.litert.structure import damaged

    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 3
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.setitimer(signal.ITIMER_PROF, _CHILD_SECONDS)
            sys.stdin = path.open()
            os.write(writing, (trial_child.main(path, use, 2**32) or "").encode(errors="replace"))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        refusal = pipe.read().decode()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code > 0 or -code == signal.SIGPROF:
        raise AssertionError(f"The child that tries {path} ended with {code}.")
    return refusal if code == 0 else str(damaged(path, RuntimeError("it ended LiteRT's process")))


def fields(content: bytes, draw: random.Random) -> bytes:
    from tests.campaign.tflite_fields import mutate_fields

    return mutate_fields(content, draw)


def head(content: bytes, draw: random.Random) -> bytes:
    """Damage the graph of a `.tflite` file: the bytes before and behind the weights."""
    start, end = draw.choice(((0, 900), (len(content) - 18_600, len(content)), (0, len(content))))
    return content[:start] + mutate_bytes(content[start:end], draw) + content[end:]
