"""Photographs of every kind: what is read from them, what is refused, and what a model sees."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, features
from small_models import mean_color_model

from kcnn.data.images import MAX_PIXELS, read_image, read_size

KCNN = Path(sys.executable).with_name("kcnn")
ORIENTATION = 0x0112
# What a camera that is held in each of the eight ways stores of an upright scene.
STORED = {
    1: lambda scene: scene,
    2: np.fliplr,
    3: lambda scene: np.rot90(scene, 2),
    4: np.flipud,
    5: lambda scene: scene.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda scene: np.rot90(scene, 2).transpose(1, 0, 2),
    8: lambda scene: np.rot90(scene, -1),
}

# EXIF whose only tag is the orientation, as the text "up".
IN_WORDS = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\2\0\3\0\0\0up\0\0\0\0\0\0"


def scene(height=16, width=32):
    """Four flat quarters of different colors, which no rotation or mirroring maps to itself."""
    colors = np.array([[[250, 20, 20], [20, 250, 20]], [[20, 20, 250], [240, 240, 20]]], np.uint8)
    return colors.repeat(height // 2, axis=0).repeat(width // 2, axis=1)


def exif(orientation):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def difference(received, expected):
    return np.abs(received.astype(int) - np.asarray(expected).astype(int)).max()


def png_of(path, width, height):
    """Write a PNG of a few bytes that says it is of this size."""
    Image.new("L", (1, 1)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


def png_rgb16(path, pixels):
    """Write a 16-bit RGB PNG, which Pillow itself does not."""

    def chunk(kind, data):
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    height, width, _ = pixels.shape
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, 2, 0, 0, 0])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


# What is read


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "mpo"])
def test_a_rotated_photograph_is_turned_upright(tmp_path, orientation, kind):
    path = tmp_path / f"photo.{kind.replace('mpo', 'jpg')}"
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene())))
    options = {"exif": exif(orientation), "quality": 100}
    if kind == "mpo":  # a JPEG of several pictures, as phones and 3D cameras write it
        options |= {"format": "MPO", "save_all": True, "append_images": [stored]}
    stored.save(path, **options)
    assert read_size(path) == (16, 32)
    middles = np.s_[2:16:8, 4:32:16]  # far from the edges, which JPEG blurs
    assert difference(read_image(path)[middles], scene()[middles]) < 12
    assert difference(read_image(path, (8, 16))[1::4, 2::8], scene()[middles]) < 12


@pytest.mark.parametrize("damage", [b"Exif\0\0garbage!", b"Exif\0\0", IN_WORDS])
def test_damaged_exif_does_not_cost_the_photograph(tmp_path, damage):
    path = tmp_path / "photo.jpg"
    Image.fromarray(scene()).save(path, exif=damage)
    assert read_size(path) == read_image(path).shape[:2] == (16, 32)


@pytest.mark.parametrize("kind", ["gray", "color"])
def test_16_bits_are_scaled_not_clipped(tmp_path, kind):
    path = tmp_path / "deep.png"
    deep = np.array([[0, 256, 32896, 60000, 65535]], np.uint16)
    if kind == "gray":
        Image.fromarray(deep).save(path)
    else:
        png_rgb16(path, np.stack([deep, deep[:, ::-1], deep], axis=-1))
    received = read_image(path)
    assert difference(received[..., 0], deep / 257) <= 1
    second = deep if kind == "gray" else deep[:, ::-1]
    assert difference(received[..., 1], second / 257) <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB", "1"])
def test_what_is_transparent_is_white(tmp_path, mode):
    path = tmp_path / "cutout.png"
    if mode in ("RGBA", "LA"):
        image = Image.new(mode, (4, 2), 0)  # black where nobody sees it
        image.paste(Image.new(mode, (2, 2), (100, 255) if mode == "LA" else (100, 100, 100, 255)))
        image.save(path)
    else:
        opaque = {"RGB": (100, 100, 100), "1": 0}.get(mode, 100)
        hidden = {"RGB": (0, 0, 0), "1": 1}.get(mode, 0)
        image = Image.new(mode, (4, 2), hidden)
        if mode == "P":
            image.putpalette([shade for shade in range(256) for _ in range(3)])
        image.paste(opaque, (0, 0, 2, 2))
        image.save(path, transparency=hidden)
    received = read_image(path)
    assert (received[:, :2] == (0 if mode == "1" else 100)).all()
    assert (received[:, 2:] == 255).all()


def test_half_transparent_is_mixed_with_white(tmp_path):
    path = tmp_path / "veil.webp"
    Image.new("RGBA", (4, 4), (100, 0, 200, 51)).save(path, lossless=True)
    expected = [0.2 * color + 0.8 * 255 for color in (100, 0, 200)]
    assert difference(read_image(path), np.full((4, 4, 3), expected)) <= 1


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_an_animation_shows_its_first_frame(tmp_path, kind):
    path = tmp_path / f"moving.{kind}"
    first, second = (Image.new("RGB", (8, 8), color) for color in ("red", "blue"))
    first.save(path, save_all=True, append_images=[second], duration=50)
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert difference(read_image(path), np.full((8, 8, 3), [255, 0, 0])) < 6


def test_cmyk_is_read_as_its_colors(tmp_path):
    path = tmp_path / "print.jpg"
    Image.fromarray(scene()).convert("CMYK").save(path, quality=100)
    middles = np.s_[2:16:8, 4:32:16]
    assert difference(read_image(path)[middles], scene()[middles]) < 12


@pytest.mark.skipif(not features.check("littlecms2"), reason="Pillow without color profiles")
@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_an_icc_profile_decides_the_colors(tmp_path, kind):
    path = tmp_path / f"wide.{kind}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (8, 8), (250, 10, 90)).save(path, icc_profile=profile)
    assert difference(read_image(path), np.full((8, 8, 3), [250, 10, 90])) < 8
    # A color space in which red and blue have changed places.
    swapped = profile.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
    for mode in ("RGB", "RGBA"):
        if kind != "jpg" or mode == "RGB":
            Image.new(mode, (8, 8), (250, 10, 90)).save(path, icc_profile=swapped)
            assert difference(read_image(path), np.full((8, 8, 3), [90, 10, 250])) < 8
    for unfit in (b"no profile", swapped):  # the second is of RGB and cannot be of gray
        Image.new("L", (8, 8), 90).save(path, icc_profile=unfit)
        assert difference(read_image(path), np.full((8, 8, 3), 90)) < 4


@pytest.mark.parametrize(("height", "width"), [(40, 120), (120, 40), (10, 30)])
def test_resizing_crops_the_center_and_never_stretches(tmp_path, height, width):
    path = tmp_path / "long.png"
    side = min(height, width)
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = 200
    Image.fromarray(pixels).save(path)
    inner = read_image(path, (20, 20))[1:-1, 1:-1]  # The outermost pixels also see beyond the cut.
    assert (inner == 200).all()


def test_making_smaller_averages(tmp_path):
    path = tmp_path / "board.png"
    board = (np.indices((320, 320)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(path)
    assert difference(read_image(path, (32, 32)), np.full((32, 32, 3), 127.5)) <= 2


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_decoded_at_a_fraction_shows_the_same(tmp_path, orientation):
    path = tmp_path / "large.jpg"
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (12, 18, 3), np.uint8))
    large = coarse.resize((1800, 1200), Image.Resampling.BICUBIC)
    large.save(path, quality=95, exif=exif(orientation))
    size = (32, 48) if orientation == 1 else (48, 32)
    whole = Image.fromarray(read_image(path)).resize(size[::-1], Image.Resampling.BILINEAR)
    assert difference(read_image(path, size), whole) <= 6


# What is refused

REFUSED = {
    "missing.png": (lambda path: None, "No such file"),
    "folder.png": (lambda path: path.mkdir(), "Is a directory"),
    "empty.jpg": (lambda path: path.touch(), "no .*PNG.* or WEBP, or damaged"),
    "text.png": (lambda path: path.write_text("not an image"), "no .*PNG.* or WEBP, or damaged"),
    "rare.png": (
        lambda path: Image.new("L", (4, 4)).save(path, "SGI"),
        "no .*PNG.* or WEBP, or damaged",
    ),
    "floats.tif": (lambda path: Image.new("F", (4, 4)).save(path), "its pixels are floats"),
    "cut.jpg": (lambda path: cut(path), "it is damaged .*truncated"),
    "cut.png": (lambda path: cut(path), "it is damaged"),
    "cut.webp": (lambda path: cut(path), "it is damaged"),
    "large.png": (lambda path: png_of(path, 10_000, 5_001), f"more than {MAX_PIXELS:,} pixels"),
    "larger.png": (lambda path: png_of(path, 10_000, 10_000), f"more than {MAX_PIXELS:,} pixels"),
    "bomb.png": (lambda path: png_of(path, 100_000, 100_000), f"more than {MAX_PIXELS:,} pixels"),
}


def cut(path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_is_refused_in_one_line_that_names_it(tmp_path, name):
    write, reason = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(
        ValueError, match=rf"^Image '.*{name}' cannot be read: .*{reason}"
    ) as caught:
        read_image(tmp_path / name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("read", [read_image, read_size])
def test_a_pipe_is_refused_without_waiting_for_it(read, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png' cannot be read: it is a pipe or a device"):
        read(tmp_path / "pipe.png")


def test_just_below_the_limit_is_not_refused(tmp_path):
    png_of(tmp_path / "large.png", 10_000, 5_000)
    assert read_size(tmp_path / "large.png") == (5_000, 10_000)


# kcnn explain


def explain(*arguments, cwd):
    return subprocess.run(
        [KCNN, "explain", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "200"},
    )


def test_explain_tells_the_classes_of_photographs_of_every_kind(tmp_path):
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    mean_color_model(None).save(tmp_path / "model.keras")
    wide = np.zeros((300, 900, 3), np.uint8)
    wide[..., 1] = 255  # a red middle between green sides: what is cropped, not squashed, is red
    wide[:, 300:600] = [255, 0, 0]
    Image.fromarray(wide).save(tmp_path / "[wide] (1).jpg")
    Image.new("RGBA", (40, 60), (0, 0, 255, 255)).save(tmp_path / "blue.png")
    Image.new("CMYK", (50, 50), (255, 0, 255, 0)).save(tmp_path / "green.jpg")
    sideways = np.concatenate([wide[:, 300:600], wide[:, :50], wide[:, :50]], axis=1)
    Image.fromarray(sideways).save(tmp_path / "turned.jpg", exif=exif(6))
    files = ["[wide] (1).jpg", "blue.png", "green.jpg", "turned.jpg"]
    options = ["--out", "seen.png", "--layer", "share", "--method", "cam"]
    options += ["--feature-maps", "maps.png", "--filters", "filters.pdf"]
    result = explain("model.keras", *files, *options, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    starts = [lines.index(name.split()) for name in files]
    assert [lines[start + 1][0] for start in starts] == ["red", "blue", "green", "red"]
    shares = np.exp([6.0, 0, 0]) / np.exp([6.0, 0, 0]).sum()
    assert lines[starts[1] + 1][1] == f"{shares[0]:.2%}"
    assert all(len(lines[start + 1 : start + 4]) == 3 for start in starts)
    assert [line[0] for line in lines[-3:]] == ["seen.png:", "maps.png:", "filters.pdf:"]
    assert all("share" in line for line in lines[-3:])
    assert (tmp_path / "filters.pdf").read_bytes().startswith(b"%PDF")
    for name in ("seen.png", "maps.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 500


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"--filters": "there.png"}, r"there.png' exists: name another file with --filters"),
        ({"--feature-maps": "there.png"}, r"there.png' exists: .* with --feature-maps"),
        ({"--out": "a.png", "--filters": "a.png"}, "--out and --filters both name"),
        ({"--feature-maps": "maps.pgn"}, r"kind of picture in --feature-maps 'maps.pgn'.*\.png"),
        ({"--out": "picture"}, "kind of picture in --out 'picture'"),
    ],
)
def test_pictures_that_cannot_be_written_are_refused_at_once(tmp_path, files, message):
    from kcnn.cli.shared import check_pictures

    (tmp_path / "there.png").write_bytes(b"")
    check_pictures({"--out": tmp_path / "a.JPG", "--filters": None, "--feature-maps": None})
    with pytest.raises(ValueError, match=message):
        check_pictures({option: tmp_path / name for option, name in files.items()})


@pytest.mark.parametrize("name", ["text.png", "larger.png", "bomb.png", "folder.png"])
def test_explain_refuses_in_one_line_and_writes_nothing(tmp_path, name):
    mean_color_model(None).save(tmp_path / "model.keras")
    REFUSED[name][0](tmp_path / name)
    before = sorted(tmp_path.iterdir())
    result = explain("model.keras", name, cwd=tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"kcnn: Image '{name}' cannot be read: ")
    assert sorted(tmp_path.iterdir()) == before


def test_hundreds_of_photographs_are_too_many_at_once(tmp_path):
    from kcnn.cli.explain import explain as command

    (tmp_path / "model.keras").write_bytes(b"never read")
    photos = [tmp_path / f"{number}.jpg" for number in range(65)]
    with pytest.raises(ValueError, match="at most 64 images at once. Received: 65") as caught:
        command(tmp_path / "model.keras", photos, tmp_path / "out.png")
    assert "\n" not in str(caught.value)


def test_a_model_of_any_size_takes_a_folders_images_as_they_are(tmp_path):
    from kcnn.cli.shared import load_data

    for number in range(200):
        folder = tmp_path / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 5)).save(folder / f"{number}.png")
    file, name = tmp_path / "model.keras", f"folder:{tmp_path / 'photos'}"
    assert load_data(file, name, None, (None, None)).image_shape == (5, 6, 3)
    assert load_data(file, name, None, (8, 9, 3)).image_shape == (8, 9, 3)
