"""What `kcnn models` prints: stored facts equal the models, accuracies equal those of runs."""

import functools
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from kcnn import models
from kcnn.models import facts
from kcnn.report.best_runs import best_runs

ROOT = Path(__file__).parent.parent
SAVED = ROOT / "saved_models"

every_model = pytest.mark.parametrize("name", models.names())


@functools.cache
def update_models():
    spec = importlib.util.spec_from_file_location("update_models", ROOT / "docs/update_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def built(name):
    return models.build(name)


def test_there_are_facts_about_every_model_and_no_other():
    assert tuple(facts.read()) == models.names(), "run: python docs/update_models.py"


@every_model
def test_the_stored_facts_are_the_models(name):
    computed = update_models().compute_facts(built(name))
    assert facts.read().get(name) == computed, "run: python docs/update_models.py"


def profiled_macs(model):
    """Multiply-accumulates of convolutions and matrix products as TensorFlow counts them."""
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(image).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(
        tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    )
    options = options.with_empty_output().build()
    node = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    flops, nodes = 0, [node]
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if node.name in ("Conv2D", "DepthwiseConv2dNative", "MatMul"):
            flops += node.float_ops
    return flops // 2


# The profiler sees what runs: of LeNet-5's C3 all 6 * 16 links, where 60 exist, each of 25 weights
# in 10x10 places; and AlexNet's local response normalizations, which sum over neighboring
# channels by a matrix product, 96 channels of 32x32 pixels and 256 of 15x15.
NOT_COUNTED = {"lenet5": (96 - 60) * 25 * 10**2, "alexnet": 96**2 * 32**2 + 256**2 * 15**2}


@every_model
def test_macs_are_those_that_tensorflow_profiles(name):
    counted = profiled_macs(built(name)) - NOT_COUNTED.get(name, 0)
    assert facts.read()[name].macs == counted


# He et al. 2015 (multiply-adds of the CIFAR networks), Banbury et al. 2021.
@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet8", 12.5), ("resnet20", 40.6), ("resnet56", 125.5), ("vgg16", 313.2)],
)
def test_macs_are_the_published_ones(name, millions):
    assert round(facts.read()[name].macs / 1e6, 1) == millions


def run(  # noqa: PLR0913
    folder, name, *, accuracy=0.5, parameters=269_722, whole=None, data=None, options=None
):
    """The receipts of the saved ResNet-20, changed."""
    report = json.loads((SAVED / "resnet20/report.json").read_text())
    recipe = json.loads((SAVED / "resnet20/recipe.json").read_text())
    report["parameters"] = parameters
    report["receipts"][0] |= {"accuracy": accuracy, "parameters": whole}
    recipe["data"] |= data or {}
    recipe["model"]["options"] = options or {}
    (folder / name).mkdir()
    (folder / name / "report.json").write_text(json.dumps(report))
    (folder / name / "recipe.json").write_text(json.dumps(recipe))
    return folder / name


def test_the_best_run_of_the_network_itself_counts(tmp_path):
    assert best_runs(tmp_path / "nowhere") == {}
    run(tmp_path, "a_first", accuracy=0.5)
    best = run(tmp_path, "b_regularized", accuracy=0.7, options={"initializer": "he_uniform"})
    run(tmp_path, "c_worse", accuracy=0.6)
    run(tmp_path, "plain", accuracy=0.9, options={"shortcut": "none"})
    run(tmp_path, "older", accuracy=0.9, parameters=270_000)
    run(tmp_path, "easy", accuracy=0.9, data={"name": "digits"})
    run(tmp_path, "part", accuracy=0.9, data={"limit": 100})
    run(tmp_path, "wider", accuracy=0.9, whole=300_000)
    (found, plain) = best_runs(tmp_path).pop("resnet20")
    assert (found.accuracy, found.run, found.variant) == (0.7, best, "")
    assert (plain.accuracy, plain.variant) == (0.9, "shortcut=none")
    frozen = run(tmp_path, "frozen", accuracy=0.8, parameters=200_000, whole=271_098)
    assert best_runs(tmp_path)["resnet20"][0].run == frozen


def test_a_run_that_diverged_or_trained_nothing_does_not_count(tmp_path):
    exploded = run(tmp_path, "exploded") / "report.json"
    report = json.loads(exploded.read_text())
    report["training"]["stop_reason"] = "diverged"
    exploded.write_text(json.dumps(report))
    given = run(tmp_path, "given") / "recipe.json"
    recipe = json.loads(given.read_text()) | {"trained": "resnet20"}
    given.write_text(json.dumps({key: recipe[key] for key in recipe if key != "train"}))
    assert best_runs(tmp_path) == {}


def test_a_damaged_run_is_left_out_with_a_word(tmp_path, caplog):
    good = run(tmp_path, "good")
    (run(tmp_path, "damaged") / "report.json").write_text("{")
    (run(tmp_path, "lost") / "recipe.json").unlink()
    assert best_runs(tmp_path)["resnet20"][0].run == good
    assert sorted(Path(record.args[0]).name for record in caplog.records) == ["damaged", "lost"]


@pytest.mark.parametrize("command", [("models",), ("list", "--models")])
def test_the_command_tells_all_without_tensorflow(command):
    code = (
        "import sys; from kcnn.cli.commands import app; "
        f"app({list(command)!r}, standalone_mode=False); "
        "assert not {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    lines = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line}
    assert [name for name in lines if name in models.names()] == list(models.names())
    report = json.loads((SAVED / "resnet20" / "report.json").read_text())
    accuracy = f"{report['receipts'][0]['accuracy']:.2%}"
    assert lines["resnet20"][:6] == ["resnet20", "271,098", "40.6", "M", "81x81", accuracy]
