import copy
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)
from browser import Browser
from PIL import Image

import kcnn
from kcnn.cli.export import export
from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier, summarize
from kcnn.runtimes import RUNTIMES, child, latency, litert, process, timing, web, write_page
from kcnn.runtimes import installation as installing
from kcnn.runtimes.browser import open_page
from kcnn.runtimes.times import Times, times_of

layers = keras.layers
RESNET20 = Path(__file__).parents[1] / "saved_models" / "resnet20" / "model_int8.tflite"
LABELS = ("zero", "one", "<img src=x onerror=document.title='broken'>", "three")
NAMES = [*RUNTIMES]
# In steps of the int8 output: how far kernels that round otherwise come from LiteRT's reference.
FURTHEST = 3


def noise(count, shape=(8, 8, 3)):
    return np.random.default_rng(5).integers(0, 256, (count, *shape), np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return the paths of one small network's files: int8, uint8 and float ends."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="logits"),
        ]
    )
    folder = tmp_path_factory.mktemp("runtimes")
    paths = {name: folder / f"{name}.tflite" for name in ("int8", "uint8", "float32")}
    for io in ("int8", "uint8"):
        export_tflite(network, paths[io], io=io, calibration=noise(32), labels=LABELS)
    export_tflite(network, paths["float32"], quantization="none", labels=LABELS)
    return paths


def with_uint8_ends(data):
    """Return the same int8 network between two operators that move its ends by 128."""
    model = convert_bytearray_to_object(data)
    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    model.operatorCodes.append(code)
    moved = {}
    for side in ("inputs", "outputs"):
        inner = getattr(graph, side)[0]
        tensor = copy.deepcopy(graph.tensors[inner])
        tensor.type = schema.TensorType.UINT8
        tensor.quantization.zeroPoint = [int(tensor.quantization.zeroPoint[0]) + 128]
        graph.tensors.append(tensor)
        moved[inner] = len(graph.tensors) - 1
        step = schema.OperatorT()
        step.opcodeIndex = len(model.operatorCodes) - 1
        step.inputs, step.outputs = [moved[inner]], [inner]
        if side == "outputs":
            step.inputs, step.outputs = step.outputs, step.inputs
        graph.operators.insert(0 if side == "inputs" else len(graph.operators), step)
        setattr(graph, side, [moved[inner]])
    for end in (*model.signatureDefs[0].inputs, *model.signatureDefs[0].outputs):
        end.tensorIndex = moved[end.tensorIndex]
    return bytes(convert_object_to_bytearray(model))


def installed(name):
    runtime = RUNTIMES[name]
    if reason := runtime.available():
        pytest.skip(reason)
    return runtime


def file_for(name, files):
    return files[RUNTIMES[name].io].read_bytes()


def one_line_error(call):
    with pytest.raises((ValueError, RuntimeError)) as raised:
        call()
    assert "\n" not in str(raised.value) and str(raised.value).strip()
    return str(raised.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_runtime_gives_the_same_answers_but_for_rounding(name, files):
    runtime = installed(name)
    images = noise(30)
    ours = runtime.run(file_for(name, files), images)
    reference = litert.run(files["int8"].read_bytes(), images, kernels="reference")
    assert ours.outputs.dtype == RUNTIMES[name].io
    assert ours.outputs.shape == (30, 4) and len(np.unique(ours.outputs, axis=0)) > 10
    assert np.abs(ours.levels - reference.levels).max() <= FURTHEST
    assert ours.milliseconds_per_image > 0 and ours.details.version
    times, memory = ours.details.times, ours.details.peak_memory_bytes
    assert times.first > 0 and times.count > 1
    assert 0 <= times.p50 <= times.p90 <= times.p99
    if sys.platform == "linux":  # elsewhere plain C does not know it either
        assert (memory is None) == (name == "litert-js") and (memory or 1e6) > 1e5
    np.testing.assert_allclose(ours.logits, reference.logits, atol=(FURTHEST + 0.1) * ours.scale)


def test_the_first_image_is_timed_alone_and_few_images_are_timed_again(tmp_path, monkeypatch):
    seen = []

    def open_slow(model, job):
        def run(image):
            time.sleep(0 if seen else 0.1)
            seen.append(int(image[0, 0]))
            return image

        return run, {}

    monkeypatch.setitem(child.OPENERS, "slow", open_slow)
    (tmp_path / "model.tflite").touch()
    np.save(tmp_path / "images.npy", np.array([[7], [8], [9]], np.int8))
    report = child.classify(tmp_path, {"runtime": "slow", "package": "numpy"})
    np.testing.assert_array_equal(np.load(tmp_path / "outputs.npy"), [[7], [8], [9]])
    assert report["first"] >= 100 > max(report["milliseconds"])
    assert len(report["milliseconds"]) == 100 and seen[:6] == [7, 7, 7, 7, 8, 9]
    times = times_of(report["first"], report["milliseconds"])
    assert times.p50 == statistics.median(report["milliseconds"])
    assert times_of(9.0, np.arange(101)) == Times(first=9.0, p50=50, p90=90, p99=99, count=101)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "plain-c"])
def test_a_float_file_gives_the_floats_of_the_model(name, files):
    images = noise(4)
    expected = TFLiteClassifier(files["float32"])(images)
    ours = installed(name).run(files["float32"].read_bytes(), images)
    assert ours.outputs.dtype == np.float32
    np.testing.assert_allclose(ours.logits, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="float32"):
        _ = ours.levels


def test_resnet20_is_the_same_bit_for_bit_in_a_browser_and_close_on_a_microcontroller():
    data, images = RESNET20.read_bytes(), noise(50, (32, 32, 3))
    xnnpack = litert.run(data, images)
    np.testing.assert_allclose(xnnpack.logits, TFLiteClassifier(RESNET20)(images), atol=1e-6)
    two = litert.run(data, images, threads=2)
    np.testing.assert_array_equal(two.outputs, xnnpack.outputs)

    browser = installed("litert-js").run(with_uint8_ends(data), images)
    np.testing.assert_array_equal(browser.outputs.astype(int) - 128, xnnpack.outputs)
    np.testing.assert_array_equal(browser.levels, xnnpack.levels)
    assert "Chrome" in browser.details.browser

    micro = installed("tflite-micro").run(data, images[:6])
    reference = litert.run(data, images[:6], kernels="reference")
    assert np.abs(micro.levels - reference.levels).max() <= FURTHEST


def test_the_arena_is_what_tflite_micro_needs_and_no_less(files):
    data = files["int8"].read_bytes()
    arena = installed("tflite-micro").run(data, noise(1)).details.arena_bytes
    script = (
        "import sys\n"
        "from tflite_micro.python.tflite_micro import runtime\n"
        "model = open(sys.argv[1], 'rb').read()\n"
        "runtime.Interpreter.from_bytes(model, arena_size=int(sys.argv[2])).invoke()\n"
    )
    command = [installing.micro_python(), "-c", script, files["int8"]]
    statuses = [
        subprocess.run([*command, str(size)], capture_output=True).returncode
        for size in (arena, arena - 16)
    ]
    assert statuses[0] == 0 != statuses[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_or_strange_images_end_in_one_line(name, files):
    run, data = installed(name).run, file_for(name, files)
    for broken in (b"", b"no model", data[: len(data) // 2], data[:-2000]):
        assert "damaged" in one_line_error(lambda broken=broken: run(broken, noise(1)))
    for images in (noise(1).astype(np.float32), noise(1)[0], noise(1, (9, 8, 3)), noise(0)):
        assert "Received" in one_line_error(lambda images=images: run(data, images))


def changed(data, change):
    model = convert_bytearray_to_object(data)
    change(model.subgraphs[0])
    return bytes(convert_object_to_bytearray(model))


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_that_looks_whole_does_not_end_the_caller(name, files):
    run, data = installed(name).run, file_for(name, files)

    def wide_kernel(graph):
        kernel = next(each for each in graph.tensors if len(each.shape) == 4 and each.shape[1] == 3)
        kernel.shape = [8, 3, 3, 70]

    def tensor_out_of_range(graph):
        graph.operators[-1].outputs = [10**6]

    def scale_not_a_number(graph):
        graph.tensors[graph.outputs[0]].quantization.scale = [float("nan")]

    def no_weights(graph):
        dense = [each for each in graph.operators if len(each.inputs) == 3][-1]
        dense.inputs = [dense.inputs[0], -1, -1]

    for change in (wide_kernel, tensor_out_of_range, scale_not_a_number, no_weights):
        one_line_error(lambda change=change: run(changed(data, change), noise(1), timeout=60))


def test_a_file_that_crashes_the_native_code_is_an_error(files):
    def crash(graph):  # a convolution with the pooled features as its kernel
        first, last = graph.operators[0], graph.operators[-1]
        first.inputs = [first.inputs[0], last.inputs[0], first.inputs[2]]

    hostile = changed(files["int8"].read_bytes(), crash)
    run = installed("tflite-micro").run
    assert "crashed (SIG" in one_line_error(lambda: run(hostile, noise(1)))


@pytest.mark.parametrize("name", NAMES)
def test_a_runtime_that_takes_too_long_is_ended(name, files, monkeypatch):
    ended = []

    def end(started):
        process_end(started)
        ended.append(started.poll())

    process_end = process.end
    for module in ("process", "browser"):
        monkeypatch.setattr(f"kcnn.runtimes.{module}.end", end)
    run = installed(name).run
    message = one_line_error(lambda: run(file_for(name, files), noise(1), timeout=0.01))
    assert "longer than 0.01 s" in message and ended == [-signal.SIGKILL]


def test_a_crash_of_native_code_is_reported_and_stays_in_its_process(tmp_path):
    status, _ = process.run_program(["sh", "-c", "kill -SEGV $$"], "x", timeout=10)
    assert process._death(status, "") == "crashed (SIGSEGV)"
    assert "two" in process._death(1, "one\ntwo\n")
    # All that it started ends with it.
    script = "(until [ -e go ]; do sleep 0.05; done; touch alive) & sleep 9"
    with pytest.raises(RuntimeError, match="longer than 0.2 s"):
        process.run_program(["sh", "-c", script], "A program", timeout=0.2, folder=tmp_path)
    (tmp_path / "go").touch()
    time.sleep(0.5)
    assert not (tmp_path / "alive").exists()


def test_a_browser_that_stops_is_reported():
    with pytest.raises(RuntimeError, match="stopped with status"):
        open_page("false", lambda path: None, "", timeout=10)
    with pytest.raises(RuntimeError, match="Cannot start"):
        open_page("/nowhere/chromium", lambda path: None, "", timeout=10)


def test_what_is_not_installed_is_named_with_what_to_do(files, tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_RUNTIMES", str(tmp_path))
    monkeypatch.delenv("KCNN_TFLITE_MICRO_PYTHON", raising=False)
    for name in ("tflite-micro", "mediapipe", "litert-js"):
        if name == "litert-js" and installing.browser() is None:
            continue
        reason = RUNTIMES[name].available()
        assert "kcnn verify --install" in reason and str(tmp_path) in reason
        with pytest.raises(RuntimeError, match="not installed"):
            RUNTIMES[name].run(file_for(name, files), noise(1))
    monkeypatch.setenv("KCNN_CHROMIUM", "no-such-browser")
    assert "KCNN_CHROMIUM" in RUNTIMES["litert-js"].available()
    monkeypatch.setenv("KCNN_TFLITE_MICRO_PYTHON", str(tmp_path / "python"))
    assert "no file" in RUNTIMES["tflite-micro"].available()
    assert all(RUNTIMES[name].available() is None for name in NAMES[:3])


def test_a_failed_installation_says_why_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_RUNTIMES", str(tmp_path))
    micro = tmp_path / f"tflite-micro-{installing.MICRO_VERSION}"
    mediapipe = tmp_path / f"mediapipe-{installing.MEDIAPIPE_VERSION}"
    for folder in (micro, mediapipe):
        folder.mkdir()
        (folder / "installed").touch()  # so they stay, and LiteRT.js is next
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Node.js" in one_line_error(installing.install)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho npm error of some kind >&2\nexit 1\n")
    npm.chmod(0o755)
    assert "error of some kind" in one_line_error(installing.install)
    assert {each.name for each in tmp_path.iterdir()} == {micro.name, mediapipe.name, "npm"}

    npm.write_text("#!/bin/sh\nexit 0\n")
    (micro / "installed").unlink()
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    broken.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(broken))
        message = one_line_error(installing.install)  # and LiteRT.js is installed all the same
    assert "no network" in message and "Installed: LiteRT.js 2.5.3 in" in message
    shutil.rmtree(installing.litert_js_folder())
    micro.mkdir()
    (micro / "installed").touch()
    assert installing.install(["mediapipe"]) == []
    with pytest.raises(ValueError, match="'litert.js'"):
        installing.install(["litert.js"])
    assert [line.split(" in ")[0] for line in installing.install()] == ["LiteRT.js 2.5.3"]
    assert installing.install() == []


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked on Windows")
def test_two_installations_at_once_wait_for_one_another(tmp_path):
    """Each program that is started in place of npm and pip notes when it begins and ends."""
    programs, log = tmp_path / "programs", tmp_path / "log"
    programs.mkdir()
    script = f"#!/bin/sh\necho begin >> {log}\nsleep 0.5\necho end >> {log}\n"
    venv = '[ "$2" != venv ] || (mkdir -p "$3/bin" && cp "$0" "$3/bin")\n'
    for name, more in (("npm", ""), ("python", venv)):
        (programs / name).write_text(script + more)
        (programs / name).chmod(0o755)
    code = (
        "import sys; from kcnn.runtimes import install; "
        f"sys.executable = {str(programs / 'python')!r}; print(len(install()))"
    )
    environment = os.environ | {
        "KCNN_RUNTIMES": str(tmp_path / "runtimes"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    assert log.read_text().split() == ["begin", "end"] * (log.read_text().count("begin"))
    assert sorted(out.strip() for out, _ in answers) == ["0", "3"]
    waited = [err.strip() for _, err in answers if err]
    assert waited == [f"waiting for another process that installs into {tmp_path / 'runtimes'}"]


def test_the_lock_pins_what_the_package_names():
    lock = json.loads((installing.PAGE / "package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == {"@litertjs/core": installing.LITERT_JS_VERSION}
    packages = {name: each for name, each in lock.items() if name}
    assert {each["version"] for each in packages.values()} == {installing.LITERT_JS_VERSION}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())


def test_latency_has_every_model_at_every_number_of_threads(files):
    models = {name: files[name].read_bytes() for name in ("float32", "int8")}
    rows = latency(models, rounds=5)
    expected = [("float32", 1), ("int8", 1), ("float32", 2), ("int8", 2)]
    assert [(row.name, row.threads) for row in rows] == expected
    assert all(row.milliseconds > 0 for row in rows)
    for row in rows:
        tool = row.tool_milliseconds
        assert tool is None or (row.threads == 1 and tool > 0)
    with pytest.raises(ValueError, match="rounds=0"):
        latency(models, rounds=0)
    with pytest.raises(ValueError, match="damaged"):
        latency({"broken": b"TFL3"})


@pytest.mark.parametrize(
    ("median", "kept"), [(0.0, None), (0.01, None), (0.04, None), (0.05, 0.05), (12.34, 12.34)]
)
def test_what_the_benchmark_tool_rounds_away_is_not_reported(median, kept, tmp_path, monkeypatch):
    def tool(command, title, *, timeout):
        assert command[command.index("--num_threads") + 1] == "1"
        Path(command[command.index("--result_json") + 1]).write_text(
            json.dumps({"latency": {"median_ms": median}})
        )
        return 0, ""

    monkeypatch.setattr(timing, "run_program", tool)
    monkeypatch.setattr(timing, "run_child", lambda *_, **__: {"milliseconds": [0.004]})
    model = RESNET20.read_bytes()
    alone, shared = latency({"tiny": model}, threads=(1, 2))
    assert (alone.milliseconds, alone.tool_milliseconds) == (0.004, kept)
    assert (shared.milliseconds, shared.tool_milliseconds) == (0.004, None)


def test_the_page_refuses_what_the_browser_cannot_run(files, tmp_path):
    with pytest.raises(ValueError, match='io="uint8"'):
        write_page(tmp_path / "page", files["int8"].read_bytes(), noise(1))
    assert not (tmp_path / "page").exists()
    with pytest.raises(ValueError, match="no page"):
        web.run_page(tmp_path, noise(1))


class Address:
    def __init__(self, text):
        self.text = text

    def as_uri(self):
        return self.text


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    installed("litert-js")
    browser = Browser(tempfile.mkdtemp(dir=tmp_path_factory.mktemp("profile")))
    yield browser
    browser.driver.quit()


def visit(browser, folder, **how):
    """Serve a folder as any server of static files would, and wait until its page is ready."""
    (folder / "node_modules").symlink_to(installing.litert_js_folder() / "node_modules")
    server = subprocess.Popen(
        ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    port = server.stdout.readline().split(" port ")[1].split()[0]
    browser.open(Address(f"http://127.0.0.1:{port}/"), **how)
    return server


def wait(browser, condition):
    for _ in range(1200):
        if browser.run(f"return {condition}"):
            return
        time.sleep(0.1)
    raise AssertionError(browser.run("return document.body.innerText"))


def text(browser, selector):
    return browser.run("return document.querySelector(arguments[0]).textContent", selector)


def test_a_visitor_drops_a_picture_and_sees_the_models_answer(files, tmp_path, shown):
    data, images = files["uint8"].read_bytes(), noise(10)
    expected = litert.run(data, images)
    wrong = expected.outputs.copy()
    wrong[3, 0] ^= 1
    write_page(tmp_path / "page", data, images, wrong, title="A <b>small</b> model")
    server = visit(shown, tmp_path / "page", width=390)
    try:
        wait(shown, "!document.getElementById('golden').hidden")
        assert text(shown, "#title") == "A <b>small</b> model"
        assert text(shown, "#verdict").startswith("9 of 10")
        tiles = [tile.text for tile in shown.all("#tiles li")]
        assert [index for index, tile in enumerate(tiles) if "differs" in tile] == [3]

        picture = tmp_path / "picture.png"  # 8 x 10: a row above and below is cut off
        Image.fromarray(np.pad(images[4], ((1, 1), (0, 0), (0, 0)))).save(picture)
        shown.all("#file")[0].send_keys(str(picture))
        wait(shown, "!document.getElementById('answer').hidden")
        best = int(expected.logits[4].argmax())
        share = np.exp(expected.logits[4] - np.logaddexp.reduce(expected.logits[4]))[best]
        assert text(shown, "#best") == LABELS[best]
        assert f"{100 * share:.1f}" in text(shown, "#answers td")
        assert " ms" in text(shown, "#time")
        assert LABELS[best] in text(shown, "#heat-note")
        for chosen in (best, 1 - min(best, 1)):  # the prediction, then the class of a button
            heat = kcnn.explain.tflite_cam(files["uint8"], images[4], chosen).raw[0]
            peak = heat.max() or 1
            found = np.reshape(shown.run("return [...answer.heat.values]"), heat.shape)
            np.testing.assert_allclose(found / peak, heat / peak, atol=1e-3)
            shown.run(
                "[...document.querySelectorAll('#answers button')]"
                ".find((each) => each.textContent === arguments[0]).click()",
                LABELS[1 - min(best, 1)],
            )

        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no picture")
        shown.all("#file")[0].send_keys(str(broken))
        wait(shown, "document.getElementById('status').className === 'error'")
        assert "broken.png cannot be read" in text(shown, "#status")

        assert shown.run("return document.documentElement.scrollWidth") <= 390
        assert {url.split("/")[2] for url in shown.requests() if url.startswith("http")} == {
            shown.run("return location.host")
        }
        assert not [each for each in shown.complaints() if "Security Policy" in each]
    finally:
        server.kill()
        server.communicate()


def test_the_page_says_what_is_missing(files, tmp_path, shown, monkeypatch):
    write_page(tmp_path / "page", files["uint8"].read_bytes(), noise(1))
    monkeypatch.setattr(installing, "litert_js_folder", lambda: tmp_path / "not_there")
    server = visit(shown, tmp_path / "page")
    try:
        wait(shown, "document.getElementById('status').className === 'error'")
        assert "npm ci" in text(shown, "#status")
    finally:
        server.kill()
        server.communicate()
    shown.open(tmp_path / "page" / "index.html")
    assert "must be served" in text(shown, "#status")


def test_the_driver_serves_the_page_and_nothing_around_it(files, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    write_page(tmp_path / "page", files["uint8"].read_bytes(), noise(1))
    (tmp_path / "page" / "classify.js").write_text("strange")
    find = web._finder(tmp_path / "page", noise(70))
    assert find("classify.js") == (installing.PAGE / "classify.js").read_bytes()
    assert find("page.json") and find("model.tflite") == files["uint8"].read_bytes()
    assert find("verify/images/0") + find("verify/images/1") == noise(70).tobytes()
    for path in ("../secret.txt", "verify/images/2", "", f"{os.sep}etc/passwd", "node_modules/.."):
        assert find(path) is None


CLUSTERED = RESNET20.parents[1] / "resnet20_flash" / "model_clustered_int8.tflite"


def test_a_clustered_model_is_compressed_for_tflite_micro(files, tmp_path, monkeypatch, capsys):
    installed("tflite-micro")
    monkeypatch.chdir(tmp_path)
    export(CLUSTERED, compress=True)
    said = " ".join(capsys.readouterr().out.split())
    size = Path("model_clustered_int8_compressed.tflite").stat().st_size
    before = CLUSTERED.stat().st_size
    assert f"{before:,} -> {size:,} bytes, 18 kernels" in said and "as before, bit for bit" in said
    assert size < 160_000
    with pytest.raises(ValueError, match="compressed for TensorFlow Lite Micro .* made from"):
        summarize(tmp_path / "model_clustered_int8_compressed.tflite")
    with pytest.raises(ValueError, match="Cluster it first"):
        export(files["int8"], compress=True, out=Path("small.tflite"))
    with pytest.raises(ValueError, match="exclude each other"):
        export(CLUSTERED, compress=True, c=True)
    assert [each.name for each in tmp_path.iterdir()] == ["model_clustered_int8_compressed.tflite"]
