"""Plain C computes what LiteRT's reference kernels compute, natively and on an emulated chip."""

import json
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from kcnn.cli.export import export
from kcnn.export import export_tflite
from kcnn.plain_c import write_c
from kcnn.provenance import sha256
from kcnn.runtimes import NotForThisModel, litert, plain_c, run_on_chip

layers = keras.layers
SAVED = Path(__file__).parents[1] / "saved_models"
RESNET8 = SAVED / "resnet8_int8/model_int8.tflite"
needs_compiler = pytest.mark.skipif(plain_c.available() is not None, reason="no C compiler")


def noise(count, size, channels=3, seed=0):
    shape = (count, size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def assert_exact(file, images):
    data = Path(file).read_bytes()
    expected = litert.run(data, images, kernels="reference").outputs
    received = plain_c.run(data, images).outputs
    assert len(np.unique(expected)) > 10
    np.testing.assert_array_equal(received, expected)


@needs_compiler
@pytest.mark.parametrize("name", ["resnet8_int8", "simple_cnn"])
def test_saved_models_are_exact(name):
    assert_exact(SAVED / name / "model_int8.tflite", noise(200, 32))


def test_the_receipt_says_that_all_test_images_are_exact():
    rows = json.loads((SAVED.parent / "benchmarks/receipts/exact_c.json").read_text())["rows"]
    assert {row["network"] for row in rows} == {"resnet8_int8", "simple_cnn", "resnet20"}
    for row in rows:
        assert row["sha256"] == sha256(SAVED / row["network"] / "model_int8.tflite")
        assert row["exact"] == row["images"] == 10_000
        assert row["chip_exact"] == row["chip_images"] == 10


def squeeze_and_excite(x):
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
    scale = layers.Conv2D(4, 1, activation="relu")(scale)
    return layers.Multiply()([x, layers.Conv2D(channels, 1, activation="sigmoid")(scale)])


def every_layer():
    """Return a model with every operator that plain C has, in unusual settings."""
    keras.utils.set_random_seed(0)
    image = keras.Input((17, 13, 3))
    x = layers.Rescaling(1 / 64)(image)
    x = layers.Conv2D(8, (3, 2), strides=(2, 1), padding="same", activation="relu6")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="tanh")(x)
    one = layers.Conv2D(12, 3, dilation_rate=2, padding="same", activation="hard_swish")(x)
    two = layers.Conv2D(12, 3, groups=4, padding="same", use_bias=False)(x)
    x = layers.Add()([one, squeeze_and_excite(two)])
    x = layers.LeakyReLU()(x)
    small = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    large = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Concatenate()([small, large, small])
    x = layers.ZeroPadding2D(((1, 0), (0, 2)))(x)
    x = layers.Conv2D(6, 3, activation="relu")(x)
    both = layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.Flatten()(x)])
    x = layers.Dense(20, activation="gelu")(both)
    wide = keras.initializers.RandomNormal(stddev=10)  # so that probabilities differ
    return keras.Model(image, layers.Dense(12, kernel_initializer=wide)(x))


@needs_compiler
@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_every_operator_is_exact(io, tmp_path):
    shape, file = (60, 17, 13, 3), tmp_path / "model.tflite"
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    export_tflite(every_layer(), file, calibration=images[:40], softmax=io == "uint8", io=io)
    assert_exact(file, images)


def test_the_same_file_gives_the_same_c(tmp_path):
    first, second = (write_c(RESNET8, tmp_path / f"{each}/net.c") for each in "ab")
    assert first.source.read_bytes() == second.source.read_bytes()
    assert first.header.read_bytes() == second.header.read_bytes()
    assert 78_000 < first.constant_bytes < 98_000 and first.arena_bytes < 60_000


@needs_compiler
def test_the_code_is_strict_c99_and_cpp_can_include_it(tmp_path):
    made = write_c(RESNET8, tmp_path / "3 nets-v2.c")
    assert made.name == "model_3_nets_v2"
    strict = ["-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror", "-pedantic"]
    compiler = shutil.which("cc") or shutil.which("gcc") or "clang"
    command = [compiler, "-std=c99", *strict, "-c", made.source, "-o", tmp_path / "net.o"]
    subprocess.run(command, check=True)
    symbols = subprocess.run(
        ["nm", "--undefined-only", tmp_path / "net.o"], check=True, capture_output=True, text=True
    )
    assert set(symbols.stdout.split()[1::2]) <= {"memset", "memcpy", "_GLOBAL_OFFSET_TABLE_"}
    if cpp := shutil.which("c++") or shutil.which("g++"):
        (tmp_path / "app.cc").write_text(
            f'#include "{made.header.name}"\n'
            "auto* const run = model_3_nets_v2_run;\n"
            "static_assert(MODEL_3_NETS_V2_CHANNELS == 3);\n"
        )
        subprocess.run([cpp, "-std=c++17", "-fsyntax-only", tmp_path / "app.cc"], check=True)


def test_other_layers_are_refused_by_name(tmp_path):
    file, images = tmp_path / "model.tflite", noise(30, 8)
    up = [layers.Conv2DTranspose(4, 3, name="up"), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *up])
    export_tflite(model, file, calibration=images)
    with pytest.raises(ValueError, match=r"no code for TRANSPOSE_CONV \(.*up.*It knows CONV_2D"):
        write_c(file, tmp_path / "model.c")
    with pytest.raises(NotForThisModel, match="TRANSPOSE_CONV"):
        plain_c.run(file.read_bytes(), images)
    export_tflite(model, file, quantization="none")
    with pytest.raises(ValueError, match="Export the model with quantization int8"):
        write_c(file, tmp_path / "model.c")
    for name, reason in (("model.h", "must end in .c"), ('a"b.c', "letters, digits")):
        with pytest.raises(ValueError, match=reason):
            write_c(RESNET8, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["model.tflite"]


def test_the_command_line_writes_c(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    export(RESNET8, c=True, out=Path("net.c"))
    said = capsys.readouterr().out
    assert "net.c and net.h: " in said and "net_run() computes one image" in said
    assert "net_labels[10]" in Path("net.h").read_text()
    assert 'airplane",' in Path("net.c").read_text()
    for options, reason in (
        ({"out": Path("net.c")}, "exists"),
        ({"out": Path("net.tflite")}, "name it with --out FILE.c"),
        ({"feature_map": True}, "leave --feature-map out"),
        ({"quantization": "float16"}, "takes the file as it is: leave --quantization out"),
        ({"softmax": True}, "leave --softmax out"),
        ({"data": "digits"}, "leave --data out"),
    ):
        with pytest.raises(ValueError, match=reason):
            export(RESNET8, c=True, **options)


def test_a_chip_computes_the_same():
    if reason := plain_c.chip_available():
        pytest.skip(reason)
    data, images = RESNET8.read_bytes(), noise(2, 32)
    found = run_on_chip(data, images)
    np.testing.assert_array_equal(
        found.outputs, litert.run(data, images, kernels="reference").outputs
    )
    assert 12_500_000 < found.instructions < 250_000_000  # 12.5 million products
    assert 80_000 < found.flash_bytes < 100_000
    assert 40_000 < found.ram_bytes < 60_000 and found.stack_bytes < 2_000
