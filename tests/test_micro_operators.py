"""The table of operators that TensorFlow Lite Micro runs, entry by entry."""

import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from micro_files import CASES, images_of, one_operator
from old_micro import python_of, run_of

from kcnn.export import export_tflite
from kcnn.litert import read_requirements
from kcnn.litert.micro_operators import MICRO_OPERATORS
from kcnn.runtimes.installation import micro_python

CHILD = Path(__file__).with_name("micro_child.py")
# LiteRT's own int16 kernel is wrong here: 2521 for 1 / sqrt(0.165) in steps of 0.001, which is
# 2462 as TensorFlow Lite Micro has it.
WRONG_IN_LITERT = {("RSQRT", "int16")}


def entries():
    """Yield each operator and dtypes of the table, and the date or None."""
    for name, known in MICRO_OPERATORS.items():
        yield from ((name, dtypes, date) for dtypes, date in known.items())
        convolution = any(" with " in dtypes for dtypes in known)
        wanted = ("float32 with int8 kernels",) if convolution else ("float32", "int8", "int16")
        if name not in ("CAST", "QUANTIZE", "DEQUANTIZE"):
            yield from ((name, dtypes, None) for dtypes in wanted if dtypes not in known)
    yield "DEQUANTIZE", "float16 to float32", None


def litert(data, images):
    """Return the outputs of LiteRT's kernels, None if it does not run the file."""
    try:
        interpreter = Interpreter(
            model_content=data,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        target, outputs = interpreter.get_output_details()[0]["index"], []
        for image in images:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(target))
    except (RuntimeError, ValueError):
        return None
    return np.stack(outputs)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("micro")
    expected = {}
    for name, dtypes, date in entries():
        data, images = one_operator(name, dtypes), images_of(name, dtypes)
        answer = litert(data, images)
        if answer is None and date is None:
            continue  # no runtime of phones runs it either, and so no file has it
        file = f"{name} {dtypes}"
        (folder / f"{file}.tflite").write_bytes(data)
        np.save(folder / f"{file}.npy", images)
        expected[name, dtypes] = file, date, answer
    return folder, expected


def test_every_operator_of_the_table_has_a_file():
    assert set(CASES) == set(MICRO_OPERATORS)


@pytest.mark.parametrize("date", ["2024-05", "2024-06", "today"])
def test_tflite_micro_runs_what_the_table_says_and_nothing_else(date, files, tmp_path):
    run_of(date)  # skips without it
    folder, expected = files
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    python = micro_python() if date == "today" else python_of(date)
    subprocess.run([python, "-P", CHILD, tmp_path], check=True, capture_output=True)
    wrong = []
    for (name, dtypes), (file, since, answer) in expected.items():
        found = tmp_path / f"{file}.out.npy"
        runs = found.exists()
        if runs and answer is not None and (name, dtypes) not in WRONG_IN_LITERT:
            step = {"i": 1, "f": 1e-5}.get(answer.dtype.kind, 0)
            runs = bool(np.allclose(np.load(found).astype(float), answer, atol=step))
        if runs != (since is not None and (date == "today" or since[:7] <= date)):
            wrong.append((name, dtypes, since, runs))
    assert wrong == []


def test_the_requirements_name_operator_and_dtype():
    for name, dtypes, date in (
        ("EXP", "int8", None),
        ("LOG", "int8", None),
        ("CONV_2D", "float32 with int8 kernels", None),
        ("DEQUANTIZE", "float16 to float32", None),
        ("DIV", "int8", "2026-10-23"),
        ("BATCH_MATMUL", "int8", "2024-05-07"),
        ("REDUCE_MIN", "int8", "2026-10-23"),
        ("TRANSPOSE_CONV", "int16 with int8 kernels", "2024-06-18"),
    ):
        needs = read_requirements(one_operator(name, dtypes))
        lacks = () if date else (f"{name} ({dtypes})",)
        assert (needs.micro, needs.micro_lacks) == (date, lacks)
    assert read_requirements(one_operator("GELU", "int8")).micro_lacks == ("GELU",)
    converting = read_requirements(one_operator("CAST", "uint8 to float32"))
    assert "Core ML" in converting.delegates  # whatever the dtype of the pixels is


@pytest.mark.parametrize(
    ("layer", "quantization", "said"),
    [
        ("exp", "int8", r"does not run EXP \(int8\): replace the layers that need it"),
        ("relu", "float16", r"not run DEQUANTIZE \(float16 to float32\): export the model as int8"),
        (
            "relu",
            "dynamic",
            r"not run CONV_2D \(float32 with int8 kernels\): export the model as int8",
        ),
    ],
)
def test_the_message_names_the_operator_and_the_remedy(layer, quantization, said, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8)
    image = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(32, 3)(keras.layers.Rescaling(1 / 255)(image))
    maps = keras.ops.exp(maps) if layer == "exp" else keras.ops.relu(maps)
    maps = keras.layers.Conv2D(32, 3)(maps)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    calibration = pixels if quantization == "int8" else None
    path = tmp_path / "model.tflite"
    export_tflite(model, path, quantization=quantization, calibration=calibration)
    assert read_requirements(path.read_bytes()).micro is None
    with pytest.raises(RuntimeError, match=said) as failed:
        run_of("today")(path.read_bytes(), pixels)
    assert "failed to prepare" in str(failed.value)
