"""What an app does before the model: each language makes the golden pixels of the photographs."""

import shutil
import subprocess
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image, ImageOps

from kcnn.bundle.photographs import TOLERANCE, pixels_of, write_photographs
from kcnn.bundle.snippets import write_snippets
from kcnn.export import export_tflite
from kcnn.litert import summarize
from kcnn.prediction.photographs import read_photographs
from kcnn.runtimes import web

layers = keras.layers
SHAPES = ((24, 20, 3), (24, 20, 1))


def smooth(count, shape, seed=0):
    """Return images without details that JPEG would change."""
    coarse = np.random.default_rng(seed).integers(30, 226, (count, 4, 4, shape[-1]), np.uint8)
    large = [Image.fromarray(each.squeeze()).resize(shape[1::-1]) for each in coarse]
    return np.stack([np.asarray(each).reshape(shape) for each in large])


@pytest.fixture(scope="module", params=SHAPES, ids=["color", "gray"])
def made(request, tmp_path_factory):
    """Return the folder of snippets and photographs, and the photographs' pixels."""
    shape, folder = request.param, tmp_path_factory.mktemp("made")
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(4)])
    images = smooth(40, shape)
    export_tflite(model, folder / "int8.tflite", calibration=images)
    export_tflite(model, folder / "web.tflite", calibration=images, io="uint8")
    summary = replace(summarize(folder / "int8.tflite"), labels=tuple("abcd"))
    write_snippets(summary, folder, arena_bytes=1, arena_note="A guess.")
    return folder, images[:4], write_photographs(images[:4], folder / "photographs")


def files(folder):
    return [folder / f"photographs/{index}.jpg" for index in range(4)]


def opened(file):
    with Image.open(file) as image:
        image.load()
    return image


def assert_golden(pixels, expected):
    difference = np.abs(pixels.astype(int) - expected)
    assert difference.max() <= TOLERANCE and difference.mean() < 1


def test_photographs_show_the_golden_images(made):
    folder, images, pixels = made
    height, width, channels = pixels.shape[1:]
    assert np.abs(pixels[:, 2:-2, 2:-2].astype(int) - images[:, 2:-2, 2:-2]).mean() < 6
    assert_golden(read_photographs(files(folder), (height, width, channels)), pixels)
    stored = [opened(file) for file in files(folder)]
    assert all(side % 2 for image in stored for side in image.size)
    assert [image.getexif()[0x0112] for image in stored] == [6, 1, 3, 8]


def test_an_app_that_does_not_rotate_or_average_gets_other_pixels(made):
    folder, _, pixels = made
    size = pixels.shape[2:0:-1]
    for index, (file, expected) in enumerate(zip(files(folder), pixels, strict=True)):
        stored = opened(file)
        upright = ImageOps.exif_transpose(stored)
        mode = "L" if expected.shape[-1] == 1 else "RGB"
        coarse = ImageOps.fit(upright, size, Image.Resampling.NEAREST).convert(mode)
        wrong = [coarse] if index == 1 else [coarse, ImageOps.fit(stored.convert(mode), size)]
        for picture in wrong:
            seen = np.asarray(picture).reshape(expected.shape)
            assert np.abs(seen.astype(int) - expected).max() > 2 * TOLERANCE


def test_chromium_makes_the_golden_pixels(made):
    if reason := web.available():
        pytest.skip(reason)
    folder, _, pixels = made
    photographs = [file.read_bytes() for file in files(folder)]
    assert_golden(web.shrink((folder / "web.tflite").read_bytes(), photographs), pixels)


PROGRAM = """
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "picture.h"

int main(int argc, char** argv) {
  const int width = std::atoi(argv[2]), height = std::atoi(argv[3]);
  std::vector<uint8_t> rgb(3 * static_cast<size_t>(width) * height), pixels(kImageBytes);
  std::ifstream(argv[1], std::ios::binary).read(reinterpret_cast<char*>(rgb.data()), rgb.size());
  ShrinkPicture(rgb.data(), width, height, std::atoi(argv[4]), pixels.data());
  return std::fwrite(pixels.data(), 1, kImageBytes, stdout) != kImageBytes || argc != 5;
}
"""


def test_cpp_makes_the_golden_pixels(made, tmp_path):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    folder, _, pixels = made
    (tmp_path / "program.cc").write_text(PROGRAM)
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", folder]
    command = [compiler, *flags, tmp_path / "program.cc", "-o", tmp_path / "program"]
    subprocess.run(command, check=True)

    def shrink(picture, orientation):
        (tmp_path / "picture.rgb").write_bytes(picture.convert("RGB").tobytes())
        numbers = map(str, (*picture.size, orientation))
        command = [tmp_path / "program", tmp_path / "picture.rgb", *numbers]
        done = subprocess.run(command, check=True, capture_output=True)
        return np.frombuffer(done.stdout, np.uint8).reshape(pixels.shape[1:])

    for file, expected in zip(files(folder), pixels, strict=True):
        stored = opened(file)
        assert_golden(shrink(stored, stored.getexif()[0x0112]), expected)
    # All orientations, and a picture that is smaller than the model's images.
    small = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        small.save(tmp_path / "small.png", exif=exif)
        (expected,) = pixels_of([tmp_path / "small.png"], pixels.shape[1:])
        assert np.abs(shrink(small, orientation).astype(int) - expected).max() <= 1


KOTLIN = """
import java.io.File
import javax.imageio.ImageIO

fun main(names: Array<String>) {
    for (name in names) {
        val image = ImageIO.read(File(name))
        val pixels = Picture(image.width, image.height) { y, row ->
            image.getRGB(0, y, image.width, 1, row, 0, image.width)
        }.modelPixels()
        File("$name.bin").writeBytes(pixels)
    }
    val output = File("output.bin").readBytes()
    println(Scores.stored(byteArrayOf(0, 127, -128, -1)).joinToString(" "))
    println(Scores.answers(output).joinToString(" ") { "${it.label} ${it.probability}" })
}
"""


def test_kotlin_makes_the_golden_pixels(made, tmp_path):
    compiler, java = shutil.which("kotlinc"), shutil.which("java")
    if compiler is None or java is None:
        pytest.skip("no Kotlin compiler (Debian: apt install kotlin)")
    folder, _, pixels = made
    if pixels.shape[-1] == 1:
        pytest.skip("compiled once, because it takes ten seconds")
    (tmp_path / "Main.kt").write_text(KOTLIN)
    out = tmp_path / "main.jar"
    sources = [folder / "Picture.kt", folder / "Scores.kt", tmp_path / "Main.kt"]
    command = [compiler, *sources, "-include-runtime", "-nowarn", "-d", out]
    subprocess.run(command, check=True, capture_output=True)
    uprights = []
    for file in files(folder):  # ImageIO does not rotate; ImageDecoder on Android does
        uprights.append(tmp_path / f"{file.stem}.png")
        ImageOps.exif_transpose(opened(file)).save(uprights[-1])
    stored = np.array([97, 100, 98, 99], np.int8)
    stored.tofile(tmp_path / "output.bin")
    command = [java, "-cp", out, "MainKt", *uprights]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    bytes_, answers = done.stdout.splitlines()
    assert bytes_ == "-128 -1 0 127"  # pixels 0, 127, 128 and 255
    target = summarize(folder / "int8.tflite").outputs[0]
    powers = np.exp((stored - 100.0) * target.scale)
    found = dict(zip(*[iter(answers.split())] * 2, strict=True))
    assert list(found) == ["b", "d", "c", "a"]
    for label, share in zip("abcd", powers / powers.sum(), strict=True):
        assert float(found[label]) == pytest.approx(share, abs=1e-5)
    shrunk = [np.fromfile(f"{file}.bin", np.uint8).reshape(pixels.shape[1:]) for file in uprights]
    assert_golden(np.stack(shrunk), pixels)
