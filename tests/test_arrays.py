"""Arrays are what `load` makes batches of, and come without TensorFlow."""

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from kcnn.data import (
    ArrayFile,
    Arrays,
    JaxData,
    LabelledImages,
    labelled,
    load,
    load_arrays,
    source,
)


def joined(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images in a folder, and the same ones in a file of arrays, in the same order."""
    root, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    images = random.integers(0, 256, (40, 6, 8, 3), np.uint8)
    labels = np.arange(40) // 20
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = root / "pictures" / "ab"[label] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    np.savez(
        root / "own.npz", train_images=images, train_labels=labels, class_names=np.array(["a", "b"])
    )
    return root


@pytest.mark.parametrize("name", ["digits", "folder:{}/pictures", "arrays:{}/own.npz"])
@pytest.mark.parametrize("limit", [None, 30])
def test_the_split_is_that_of_load(folder, name, limit):
    name = name.format(folder)
    options = {"validation": 0.2, "seed": 5, "limit": limit}
    arrays, data = load_arrays(name, **options), load(name, batch_size=7, **options)
    assert arrays.class_names == data.class_names and arrays.image_shape == data.image_shape
    order = np.random.default_rng(5).permutation(len(arrays.train))
    for part, dataset in (
        (arrays.validation, data.validation),
        (arrays.test, data.test),
        (arrays.train.subset(order), data.calibration),
    ):
        images, labels = joined(dataset)
        assert part.images.dtype == np.uint8 and part.labels.dtype == np.int32
        np.testing.assert_array_equal(part.images, images)
        np.testing.assert_array_equal(part.labels, labels)


def test_a_file_of_arrays_gives_what_was_saved(folder):
    of_file, of_folder = (
        load_arrays(f"{name}", seed=1)
        for name in (f"arrays:{folder}/own.npz", f"folder:{folder}/pictures")
    )
    np.testing.assert_array_equal(of_file.test.images, of_folder.test.images)
    assert of_file.class_names == ("a", "b") and of_file.mirror
    assert not load_arrays(ArrayFile(folder / "own.npz", mirror=False)).mirror


def test_arrays_with_other_names_are_named(tmp_path, caplog):
    path, images = tmp_path / "own.npz", np.zeros((20, 8, 8, 3), np.uint8)
    parts = {"train_images": images, "train_labels": np.arange(20) % 2, "val_images": images}
    np.savez(path, **parts)
    load_arrays(f"arrays:{path}", validation=0.2)
    assert "arrays that are not read: 'val_images'" in caplog.text
    assert "validation_images" in caplog.text


IMAGES, LABELS = np.zeros((4, 6, 8, 3), np.uint8), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "has no train_images and train_labels. It has: 'images'"),
        ({"train_images": IMAGES}, "train_labels is missing: train_images and"),
        (
            {"train_images": IMAGES, "train_labels": LABELS, "test_labels": LABELS},
            "test_images is missing",
        ),
        ({"train_images": IMAGES, "train_labels": LABELS.astype(object)}, "objects: save it as"),
        ({"train_images": IMAGES / 255, "train_labels": LABELS}, "must be uint8"),
        ({"train_images": IMAGES[0], "train_labels": LABELS}, "must be uint8"),
        ({"train_images": IMAGES, "train_labels": LABELS[:3]}, "must be 4 class numbers"),
        ({"train_images": IMAGES, "train_labels": LABELS - 1}, "must be 4 class numbers"),
        (
            {"train_images": IMAGES, "train_labels": LABELS, "class_names": ["a"]},
            r"of 0 to 0. Received: train_labels\[1\] = 1$",
        ),
        *(
            ({"train_images": IMAGES, "train_labels": [0, 1, label, 1]}, message)
            for label, message in [
                (10**9, r"train_labels\[2\] = 1000000000$"),
                (2**32 + 1, r"train_labels\[2\] = 4294967297$"),
                (4, r"4 class numbers of 0 to 3. Received: train_labels\[2\] = 4$"),
                (-1, r"train_labels\[2\] = -1$"),
                (0.5, r"train_labels\[2\] = 0.5$"),
                (np.nan, r"train_labels\[2\] = nan$"),
            ]
        ),
        (
            {
                "train_images": IMAGES,
                "train_labels": LABELS,
                "test_images": IMAGES,
                "test_labels": LABELS + 3,
            },
            r"test_labels\[1\] = 4$",
        ),
        (
            {
                "train_images": IMAGES,
                "train_labels": LABELS,
                "test_images": IMAGES[:, :5],
                "test_labels": LABELS,
            },
            "must be alike",
        ),
    ],
)
def test_a_file_of_other_arrays_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_arrays(f"arrays:{tmp_path}/own.npz")


HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 6, 8, 3), }"


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace(b"(4, 6, 8, 3)", b"(4, 6, 8, 3 "),  # TokenError
        HEADER.replace(b"(4, 6, 8, 3)", b"(4, 6e, 8, )"),  # SyntaxError
        HEADER.replace(b"(4, 6, 8, 3)", b"(9**9**9,  )"),
        HEADER.replace(b"(4, 6, 8, 3)", b"(99999999999,)"),  # MemoryError or too few bytes
        HEADER.replace(b"4", b"9" * 40),  # OverflowError
        HEADER.replace(b"|u1", b"\xff\xff\xff"),
    ],
)
def test_a_damaged_header_names_its_file(tmp_path, header):
    path = tmp_path / "own.npz"
    file = io.BytesIO()
    np.save(file, IMAGES)
    whole = file.getvalue()
    assert HEADER in whole
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", whole.replace(HEADER, header.ljust(len(HEADER))))
        labels = io.BytesIO()
        np.save(labels, LABELS)
        archive.writestr("train_labels.npy", labels.getvalue())
    with pytest.raises(ValueError, match=r"own\.npz' is no file of arrays") as caught:
        load_arrays(f"arrays:{path}")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_had_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="There is no file of arrays"):
        load_arrays(f"arrays:{tmp_path}/none.npz")
    with pytest.raises(ValueError, match="leave image_size out"):
        source("arrays:own.npz", image_size=(8, 8))
    with pytest.raises(ValueError, match="validation must be above 0"):
        load_arrays("digits", validation=0)
    monkeypatch.setattr(labelled, "RAM_LIMIT", 10**6)
    with pytest.raises(ValueError, match=r"are 0.0 GB decoded.*pass limit="):
        load_arrays("digits")
    assert len(load_arrays("digits", limit=100).test) == 100


def test_arrays_that_are_larger_than_the_memory_are_refused(folder, monkeypatch):
    """Zeros that are packed to a thousandth may fill it."""
    monkeypatch.setattr("os.sysconf", lambda name: 16, raising=False)
    with pytest.raises(ValueError, match=r"own\.npz' is .*: its arrays take 0\.0 GB, and"):
        load_arrays(f"arrays:{folder}/own.npz")


@pytest.mark.parametrize("name", ["digits", "folder:{}/pictures", "arrays:{}/own.npz"])
def test_no_tensorflow_is_loaded(folder, name):
    code = (
        "import sys, kcnn.data; kcnn.data.load_arrays(sys.argv[1]);"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    command = [sys.executable, "-c", code, name.format(folder)]
    assert subprocess.run(command, timeout=600).returncode == 0


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_labels_of_arrays_of_your_own_are_checked(part):
    parts = {name: LabelledImages(IMAGES, LABELS) for name in ("train", "validation", "test")}
    JaxData(Arrays(**parts, class_names=("a", "b")), batch_size=2)
    parts[part] = LabelledImages(IMAGES, LABELS + np.array([0, 0, 2**32, 0]))
    with pytest.raises(ValueError, match=rf"{part} labels\[2\] = 4294967296$"):
        JaxData(Arrays(**parts, class_names=("a", "b")), batch_size=2)
