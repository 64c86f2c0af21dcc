"""The page of `kcnn explore`: its numbers are LiteRT's and Python's, and a visitor can use it."""

import re
import tempfile
import time
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from browser import CAMERA, Browser
from command import run_command
from PIL import Image
from small_models import flatten_model, gap_model, images, randomize, stem

import kcnn
from kcnn.explore import find_networks, write, write_page
from kcnn.explore import networks as explore_networks
from kcnn.export import export_tflite
from kcnn.litert.every_map import with_every_map, with_last_maps
from kcnn.runtimes import installation

LAYERS = keras.layers
LABELS = ("zero", "one", "</script><img src=x onerror=document.title='broken'>", "three", "four")
KERNELS = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # those that can keep every tensor
SIMPLE = Path(__file__).parents[1] / "saved_models" / "simple_cnn" / "model_int8.tflite"


def branched_model():
    """Return a model with most kinds of layers; its head has a convolution and an activation."""
    image = keras.Input((12, 12, 3))
    x = image
    for layer in stem():
        x = layer(x)
    side = LAYERS.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = LAYERS.Add(name="add")([x, side])
    x = LAYERS.AveragePooling2D(3, strides=2, padding="same", name="average")(x)
    x = LAYERS.Conv2D(8, 3, strides=2, padding="same", groups=2, name="grouped")(x)
    x = LAYERS.Activation("gelu", name="gelu")(x)
    x = LAYERS.MaxPooling2D(3, name="largest")(x)
    x = LAYERS.Conv2D(6, 1, activation="tanh", name="one_by_one")(x)
    x = LAYERS.GlobalMaxPooling2D(name="global")(x)
    return randomize(keras.Model(image, LAYERS.Dense(5, activation="softmax")(x)), seed=3)


def dilated_model():
    body = [*stem(), LAYERS.Conv2D(4, 3, dilation_rate=2, activation="relu6", name="dilated")]
    hidden = [LAYERS.GlobalMaxPooling2D(), LAYERS.Dense(6, activation="swish")]
    head = [*hidden, LAYERS.LeakyReLU(), LAYERS.Dense(1, activation="sigmoid")]
    return randomize(keras.Sequential([keras.Input((12, 12, 3)), *body, *head]), seed=4)


MODELS = {
    "gap": gap_model,
    "flatten": flatten_model,
    "branched": branched_model,
    "dilated": dilated_model,
}


def image_of(model):
    return images(1, size=model.input_shape[1], seed=7)[0]


@cache
def networks_of(name, labels=None):
    model = MODELS[name]()
    calibration = images(16, size=model.input_shape[1], seed=1)
    return model, find_networks(model, calibration=calibration, labels=labels)


def outputs_of(data, image):
    """Return every output of a model in Python's LiteRT, by name."""
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=KERNELS)
    run = interpreter.get_signature_runner()
    (name,) = run.get_input_details()
    return run(**{name: image[None].astype("float32")})


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", ["float", "int8"])
def test_every_map_is_that_of_the_model_itself(name, form):
    model, networks = networks_of(name)
    image, data = image_of(model), networks.files[form]
    opened = with_every_map(data, Path("model.tflite"))
    found = outputs_of(opened.data, image)
    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=KERNELS,
    )
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    pixels = image[None].astype("float32") if form == "float" else image[None] - 128
    interpreter.set_tensor(source["index"], pixels.astype(source["dtype"]))
    interpreter.invoke()
    assert len(opened.layers) >= 4
    for layer in opened.layers:
        details = interpreter.get_tensor_details()
        scale, zero = next(each for each in details if each["index"] == layer.output)[
            "quantization"
        ]
        stored = interpreter.get_tensor(layer.output).astype("float32")
        expected = stored if not scale else (stored - zero) * np.float32(scale)
        assert found[f"map{layer.output}"].shape == layer.shape
        np.testing.assert_allclose(found[f"map{layer.output}"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("gap", ["CONV_2D", "MEAN", "FULLY_CONNECTED"]),
        ("flatten", ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"]),
    ],
)
@pytest.mark.parametrize("form", ["float", "int8"])
def test_a_heat_map_needs_the_last_map_and_what_is_behind_it(name, kinds, form):
    model, networks = networks_of(name)
    opened = with_last_maps(networks.files[form], Path("model.tflite"))
    every = with_every_map(networks.files[form], Path("model.tflite"))
    assert [layer.kind for layer in opened.layers] == kinds
    shapes = [(layer.name, layer.shape) for layer in every.layers]
    assert [(layer.name, layer.shape) for layer in opened.layers] == shapes[-len(kinds) :]
    found, expected = (outputs_of(each.data, image_of(model)) for each in (opened, every))
    assert len(found) == len(kinds)
    for layer, same in zip(opened.layers, every.layers[-len(kinds) :], strict=True):
        ours, theirs = found[f"map{layer.output}"], expected[f"map{same.output}"]
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("mode", ["none", "float16", "int8"])
def test_constants_are_where_they_are_said_to_be(mode, tmp_path):
    model = flatten_model()
    path = tmp_path / "model.tflite"
    export_tflite(model, path, quantization=mode, calibration=images(10, size=6))
    opened = with_every_map(path.read_bytes(), path)
    weights = next(layer for layer in opened.layers if layer.name == "hidden").inputs[1]
    stored = np.frombuffer(
        opened.data,
        weights.dtype,
        weights.bytes // np.dtype(weights.dtype).itemsize,
        weights.offset,
    )
    values = stored.reshape(weights.shape).astype("float32")
    if weights.scales:
        values *= np.array(weights.scales, "float32").reshape(-1, 1)
    kernel = model.get_layer("hidden").kernel.numpy()
    step = {"none": 1e-7, "float16": 1e-3, "int8": 1 / 127}[mode]
    np.testing.assert_allclose(values.T, kernel, atol=step * np.abs(kernel).max())


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    if not (installation.litert_js_folder() / "installed").is_file():
        pytest.skip("LiteRT.js is not installed")
    browser = Browser(tempfile.mkdtemp(dir=tmp_path_factory.mktemp("profile")), *CAMERA)
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return a model, an image and the page that shows both."""
    model, networks = networks_of("gap", LABELS)
    path = tmp_path_factory.mktemp("page") / "explore.html"
    return model, image_of(model), write_page(networks, path, {"noise": image_of(model)})


def wait(browser, condition):
    for _ in range(600):
        if browser.run(f"return {condition}"):
            return
        time.sleep(0.1)
    raise AssertionError(browser.run("return document.body.innerText")[:2000])


def visit(browser, path, **how):
    browser.open(path, **how)
    wait(browser, "self.explorer?.shares || document.querySelector('#status.error')")
    assert browser.complaints() == []


def text(browser, selector):
    return browser.run("return document.querySelector(arguments[0]).textContent", selector)


# Every number of every layer, as the page explains it and as LiteRT computed it.
EXPLAIN = """
const done = arguments[0];
import(modules["compute.js"]).then(({ explain }) => done(
  explorer.networks.map((network) => network.layers.map((layer) => {
    const values = network.values(layer.output);
    const [, width] = layer.shape.length === 4 ? layer.shape.slice(1) : [1, 1];
    const channels = layer.shape.at(-1);
    const own = Array.from(values, (_, i) => {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      const place = { y: Math.floor(pixel / width), x: pixel % width, channel };
      return explain(network, layer, place)?.value ?? null;
    });
    return [layer.kind, layer.step, own, Array.from(values)];
  })),
));
"""


@pytest.mark.parametrize("name", MODELS)
def test_the_page_computes_each_number_and_each_heat_map_as_python_does(name, shown, tmp_path):
    model, networks = networks_of(name)
    image = image_of(model)
    visit(shown, write_page(networks, tmp_path / "explore.html", {"noise": image}))
    kinds = set()
    for network in shown.driver.execute_async_script(EXPLAIN):
        for kind, step, own, values in network:
            if kind in ("RESHAPE", "SOFTMAX"):
                assert own == [None] * len(own)
                continue
            kinds.add(kind)
            own, values = np.array(own, float), np.array(values)
            # An int8 layer rounds its result, and clips it to its range.
            if step:
                low, high = (step[0] * (end - step[1]) for end in (-128, 127))
                own = own.clip(low, high)
            size = np.abs(values).max()
            error = 1.01 * step[0] if step else 1e-5 * size + 1e-6
            assert np.abs(own - values).max() <= error, kind
    assert "CONV_2D" in kinds and len(kinds) >= 3

    expected = kcnn.grad_cam(model, image)
    heat = shown.run("return explorer.heat && [...explorer.heat.values]")
    np.testing.assert_allclose(
        np.array(heat).reshape(expected.raw[0].shape) / expected.raw.max(),
        expected.normalized[0],
        atol=1e-3,
    )
    shares = kcnn.predict(model, image).probabilities[0]
    np.testing.assert_allclose(shown.run("return explorer.shares[0]"), shares, atol=1e-4)


def test_a_visitor_sees_where_a_number_comes_from(shown, page):
    visit(shown, page[2])
    titles = shown.run("return [...document.querySelectorAll('h3')].map((each) => each.innerText)")
    conv = next(index for index, title in enumerate(titles) if "Convolution" in title)
    assert text(shown, "h1") == page[0].name and shown.run("return document.title") == page[0].name
    shown.run(
        "document.querySelectorAll('.card')[arguments[0]].querySelector('.map').click()", conv
    )
    assert "Convolution 3 × 3 + ReLU" in text(shown, "[data-part=title]")
    wait(shown, "!explorer.detail.player.timer")  # it has played the sum
    assert re.match(r"(\d+) of \1 products", text(shown, "#detail output"))
    before = text(shown, "[data-part=where]")
    shown.driver.switch_to.active_element.send_keys("\ue014" if "column 0" in before else "\ue012")
    assert text(shown, "[data-part=where]") != before
    results = text(shown, "[data-part=result]")
    assert "ReLU(" in results and "LiteRT computed" in results and "int8" in results
    for view in ("int8", "difference"):
        shown.run("document.querySelector(`[name=view][value=${arguments[0]}]`).click()", view)
        assert shown.complaints() == []
    assert "largest difference" in text(shown, "#layers")
    shown.driver.switch_to.active_element.send_keys("\ue00c")
    shown.run("document.querySelector('#softmax summary').click()")
    wait(shown, "document.querySelector('#softmax').dataset.step === '4'")
    rows = shown.run(
        "return [...document.querySelectorAll('#softmax tbody tr')]"
        ".map((row) => row.lastChild.textContent)"
    )
    assert sum(map(float, rows)) == pytest.approx(1, abs=1e-3)


def test_a_visitor_gives_a_picture_and_covers_a_part_of_it(shown, page, tmp_path):
    model, image, path = page
    visit(shown, path)
    other = images(1, seed=9)[0]
    Image.fromarray(other).save(tmp_path / "other.png")
    shown.all("#file")[0].send_keys(str(tmp_path / "other.png"))
    wait(shown, f"explorer.picture[0] === {other[0, 0, 0]}")
    shares = kcnn.predict(model, other).probabilities[0]
    wait(shown, f"Math.abs(explorer.shares[0][0] - {shares[0]}) < 1e-4")
    assert text(shown, "#answers button") == LABELS[shares.argmax()]
    shown.run(
        "document.querySelector('#covering').click();"
        "document.querySelector('[data-part=seen]').focus()"
    )
    wait(
        shown,
        "explorer.stage.patch && document.querySelector('#cover-note').textContent.includes('%')",
    )
    for _ in range(12):
        shown.driver.switch_to.active_element.send_keys("\ue012")
    wait(shown, "explorer.stage.patch.x === 0")
    y = shown.run("return explorer.stage.patch.y")
    covered = other.copy()
    covered[y : y + 3, :3] = np.rint(other.mean(axis=(0, 1)))
    shares = kcnn.predict(model, covered).probabilities[0]
    wait(shown, f"Math.abs(explorer.shares[0][0] - {shares[0]}) < 1e-4")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    shown.all("#file")[0].send_keys(str(broken))
    wait(shown, "document.querySelector('#status.error')")
    assert "broken.png cannot be read" in text(shown, "#status")


def test_the_camera_is_classified_until_it_is_stopped(shown, page):
    visit(shown, page[2])
    first = shown.run("return [...explorer.picture]")
    shown.run("document.querySelector('#camera').click()")
    wait(shown, f"'' + explorer.picture !== '{','.join(map(str, first))}'")
    assert text(shown, "#camera") == "Stop the camera"
    shown.run("document.querySelector('#camera').click()")
    wait(shown, "!explorer.camera.stream")
    assert text(shown, "#camera") == "Use the camera"
    assert shown.complaints() == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_page_asks_for_nothing_and_fits(shown, page, width, scheme):
    visit(shown, page[2], width=width, scheme=scheme)
    shown.run("document.querySelector('#layers button.map').click()")
    assert shown.run("return document.documentElement.scrollWidth") <= width
    kinds = {url.partition(":")[0] for url in shown.requests()}
    assert kinds <= {"file", "blob", "data"}
    unnamed = shown.run(
        "return [...document.querySelectorAll('button, input, canvas[tabindex]')].filter((each) =>"
        " !each.textContent.trim() && !each.getAttribute('aria-label') && !each.closest('label'))"
        ".map((each) => each.outerHTML)"
    )
    assert unnamed == []


def test_the_policy_stops_what_a_page_could_send(shown, page):
    visit(shown, page[2])
    shown.driver.execute_async_script(
        "fetch('https://example.org/?' + explorer.picture).catch(() => 0).then(arguments[0])"
    )
    assert any("Security Policy" in each for each in shown.complaints())
    assert not [url for url in shown.requests() if url.startswith("http")]


def test_the_page_speaks_english_and_korean(shown, page):
    visit(shown, page[2])
    texts = shown.driver.execute_async_script(
        "import(modules['texts.js']).then(({ WORDS }) => arguments[0](WORDS))"
    )
    names = {key: set(re.findall(r"\{(\w+)\}", each)) for key, each in texts["en"].items()}
    assert names == {key: set(re.findall(r"\{(\w+)\}", each)) for key, each in texts["ko"].items()}
    called = r'\b(?:t|say|complain)\((?:\$\("\w+"\), )?"([\w.]+)"'
    used = set()
    shared = [installation.PAGE / name for name in write.SHARED]
    for module in (*write._OWN.glob("*.js"), *write._OWN.glob("*.j2"), *shared):
        used |= set(re.findall(called + r'|data-(?:text|label)="([\w.]+)"', module.read_text()))
    assert {one or other for one, other in used} <= texts["en"].keys()
    shown.run("document.querySelector('[data-language=ko]').click()")
    assert text(shown, "#network-title") == "층별로 보는 신경망"
    assert "합성곱 3 × 3 + ReLU" in text(shown, "#layers")
    assert shown.run("return document.documentElement.lang") == "ko"


def test_modules_import_only_those_before_them():
    seen = set()
    for name in (*write.SHARED, *write._MODULES):
        folder = installation.PAGE if name in write.SHARED else write._OWN
        imported = set(re.findall(r'from "\./([\w.]+)"', (folder / name).read_text()))
        assert imported <= seen, name
        seen.add(name)
    assert seen - set(write.SHARED) | {"start.js"} == {
        each.name for each in write._OWN.glob("*.js")
    }


def test_the_page_of_a_large_network_is_smaller_and_says_so(shown, tmp_path, monkeypatch):
    wide = [LAYERS.Conv2D(32, 3, activation="relu"), LAYERS.Flatten(), LAYERS.Dense(5, name="last")]
    model = randomize(keras.Sequential([keras.Input((8, 8, 3)), *wide]), seed=5)
    calibration = images(16, size=8, seed=1)
    whole = find_networks(model)
    assert whole.saved is None
    monkeypatch.setattr(explore_networks, "_LARGE", len(whole.files["float"]) - 1)
    half = find_networks(model, calibration=calibration)
    assert half.saved == "half" and [*half.files] == ["float", "int8"]
    kernel = model.get_layer("last").kernel.numpy()
    assert len(whole.files["float"]) - len(half.files["float"]) > kernel.nbytes / 3
    image = image_of(model)
    visit(shown, write_page(half, tmp_path / "explore.html", {"noise": image}))
    assert "float16" in text(shown, "header")
    shares = kcnn.predict(model, image).probabilities[0]
    np.testing.assert_allclose(shown.run("return explorer.shares[0]"), shares, atol=5e-3)

    monkeypatch.setattr(explore_networks, "_LARGEST", 1)
    alone = find_networks(model, calibration=calibration)
    assert alone.saved == "int8" and [*alone.files] == ["int8"]
    assert [*find_networks(model).files] == ["float"]  # without an int8 form, as small as can be
    visit(shown, write_page(alone, tmp_path / "explore.html", {"noise": image}))
    assert "int8 form alone" in text(shown, "header")


def test_the_forms_of_a_model_are_found_by_name(tmp_path):
    model = gap_model()
    kcnn.models.save(model, tmp_path / "net.keras")
    assert [*find_networks(tmp_path / "net.keras").files] == ["float"]
    export_tflite(model, tmp_path / "net_int8.tflite", calibration=images(10), labels=LABELS)
    for name in ("net.keras", "net_int8.tflite"):
        networks = find_networks(tmp_path / name)
        assert [*networks.files] == ["float", "int8"] and networks.labels == LABELS
    (tmp_path / "net.keras").rename(tmp_path / "other.keras")
    assert [*find_networks(tmp_path / "net_int8.tflite").files] == ["int8"]
    export_tflite(flatten_model(), tmp_path / "other_int8.tflite", calibration=images(10, size=6))
    assert [*find_networks(tmp_path / "other.keras").files] == ["float"]  # of another model
    with pytest.raises(ValueError, match="5 names, one a class"):
        find_networks(model, labels=["one"])
    series = keras.Sequential([keras.Input((8, 8, 2)), LAYERS.Flatten(), LAYERS.Dense(2)])
    with pytest.raises(ValueError, match="gray or RGB"):
        find_networks(series)


def test_the_command_writes_a_page(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if not (installation.litert_js_folder() / "installed").is_file():
        pytest.skip("LiteRT.js is not installed")
    Image.fromarray(images(1, size=40)[0]).save("photo.png")
    assert run_command("explore", SIMPLE, "photo.png") == 0
    assert "float and int8, 1 picture and 3 drawings" in capsys.readouterr().out
    assert Path("explore.html").stat().st_size < 10e6
    assert run_command("explore", SIMPLE, "photo.png") == 1
    assert "'explore.html' exists" in capsys.readouterr().err
    assert run_command("explore", SIMPLE, "gone.png", "--out", "b.html") == 1
    assert "gone.png" in capsys.readouterr().err
    monkeypatch.setenv("KCNN_RUNTIMES", str(tmp_path / "none"))
    assert run_command("explore", SIMPLE, "photo.png", "--out", "b.html") == 1
    assert "--install" in capsys.readouterr().err
    assert not Path("b.html").exists()
