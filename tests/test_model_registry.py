"""The registry of models, and what its builders refuse."""

import inspect
import subprocess
import sys

import keras
import pytest
from narrow_models import build_narrow

import kcnn.models
from kcnn.models import FAMILIES, MODELS, arguments, build, names
from kcnn.models.families.resnet import ResNetOptions, resnet
from kcnn.models.families.resnet_imagenet import ImageNetResNetOptions, resnet_imagenet
from kcnn.models.families.vgg import VGGOptions, vgg

every_model = pytest.mark.parametrize("name", names())
every_family = pytest.mark.parametrize("name", [each.builders[0] for each in FAMILIES.values()])

# Families whose activation is the user's choice; AlexNet's and speed_net's are the papers'.
OF_THE_PAPER = {("alexnet",), ("speed_net",)}
WITH_ACTIVATION = [
    each.builders[0] for each in FAMILIES.values() if each.builders not in OF_THE_PAPER
]


@every_family
@pytest.mark.parametrize(
    "argument, value",
    [
        *[("input_shape", bad) for bad in [(32,), (32, 32, 0), (32.0, 32, 3), "32", None, 32]],
        *[("num_classes", bad) for bad in [1, 0, -3, 2.5, "10", True, None]],
    ],
)
def test_bad_shape_or_classes(name, argument, value):
    with pytest.raises(ValueError, match=rf"{argument} must be .* Received: {argument}="):
        build(name, **{argument: value})


@pytest.mark.parametrize("name", [name for name in names() if name not in ("mlp", "simple_cnn")])
@pytest.mark.parametrize("shape", [(32, 3), (32, 32, 32, 3)])
def test_only_images(name, shape):
    with pytest.raises(ValueError, match=r"three positive integers.*Received: input_shape=\(32"):
        build(name, input_shape=shape)


@pytest.mark.parametrize("name", [*WITH_ACTIVATION, "resnet50"])
def test_activation_and_initializer(name):
    options = {"variant": "modern"} if name == "lenet5" else {}
    model = build_narrow(name, activation="selu", **options)
    kernels = {
        layer.kernel_initializer.__class__.__name__
        for layer in model.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)) and layer.name != "logits"
    }
    assert kernels == {"LecunNormal"}
    assert not any("relu" in layer.name for layer in model.layers)
    assert sum(layer.name.endswith("_selu") for layer in model.layers) >= 2
    assert not any(type(layer) is keras.layers.Dropout for layer in model.layers)
    with pytest.raises(ValueError, match="Unknown activation 'rellu'. Did you mean 'relu'"):
        build_narrow(name, activation="rellu", **options)
    with pytest.raises(ValueError, match="Unknown initializer 'he_norml'. Did you mean 'he_norm"):
        build_narrow(name, initializer="he_norml", **options)


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("simple_cnn", {"dropout": 1.0}, "dropout must be at least 0 and below 1. Received"),
        ("simple_cnn", {"spatial_dropout": -0.1}, "spatial_dropout must be .* Received"),
        ("alexnet", {"dropout": "half"}, "dropout must be .* Received"),
        ("alexnet", {"dense_units": 0}, "dense_units must be .* at least 1. Received"),
        ("mlp", {"units": 0}, "units must be .* at least 1. Received"),
        ("mlp", {"depth": 0}, "depth must be .* at least 1. Received"),
        ("mlp", {"dropout": 1}, "dropout must be .* Received"),
        ("nin", {"width": 1}, "width must be .* at least 2. Received"),
        ("nin", {"batch_norm": 1}, "batch_norm must be True or False. Received"),
        ("vgg11", {"head": "papper"}, "Unknown head 'papper'. Did you mean 'paper'?"),
        ("vgg11", {"head": "paper", "dropout": 2}, "dropout must be .* Received"),
        ("vgg11", {"width": 1.5}, "width must be .* at least 1. Received"),
        ("vgg11", {"batch_norm": "no"}, "batch_norm must be True or False. Received"),
        ("resnet20", {"width": True}, "width must be .* at least 1. Received"),
        ("resnet20", {"shortcut": "C"}, "Unknown shortcut 'C'. .*Known: A, B, none"),
        ("resnet20", {"preactivation": "yes"}, "preactivation must be True or False. Received"),
        ("resnet8", {"width": 0}, "width must be .* at least 1. Received"),
        ("resnet18", {"width": 0}, "width must be .* at least 1. Received"),
    ],
)
def test_bad_options(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(name, **arguments)


# The registry


def test_unknown_names_have_a_suggestion():
    with pytest.raises(ValueError, match="Unknown model 'resnet_20'. Did you mean 'resnet20'?"):
        build("resnet_20")
    with pytest.raises(ValueError, match="'widht'. Did you mean 'width'?.*num_classes"):
        build("resnet20", widht=8)
    with pytest.raises(AttributeError, match="resnet21"):
        kcnn.models.resnet21  # noqa: B018
    with pytest.raises(KeyError):
        MODELS["resnet21"]


@pytest.mark.parametrize(
    "family, options",
    [(vgg, VGGOptions), (resnet, ResNetOptions), (resnet_imagenet, ImageNetResNetOptions)],
)
def test_variants_take_the_options_of_their_family(family, options):
    shared = ("depth", "input_shape", "num_classes", "name")
    expected = {
        name: parameter.annotation
        for name, parameter in inspect.signature(family).parameters.items()
        if name not in shared
    }
    assert options.__annotations__ == expected


def test_arguments_are_listed():
    assert arguments("vgg16") == (
        *("input_shape", "num_classes", "name", "batch_norm", "dropout", "width", "head"),
        *("activation", "initializer", "normalization"),
    )
    assert arguments("mlp")[2:4] == ("units", "depth")
    with pytest.raises(ValueError, match="Unknown model 'vgg_16'. Did you mean 'vgg16'"):
        arguments("vgg_16")


@every_model
def test_registry_and_attribute_are_one_builder(name):
    builder = MODELS[name]
    assert getattr(kcnn.models, name) is builder
    assert builder.__name__ == name and builder.__module__.startswith("kcnn.models.families.")
    assert inspect.getdoc(builder).startswith("Build ")
    assert name in dir(kcnn.models)
    assert list(MODELS) == list(names())


@every_family
def test_papers_of_the_registry_are_those_of_the_documentation(name):
    (family,) = [each for each in FAMILIES.values() if name in each.builders]
    assert bool(family.paper) == bool(family.url) == (name != "simple_cnn")
    text = inspect.getdoc(MODELS[name])
    authors, year = family.paper.split()[:1], family.paper.split()[-1:]
    assert all(part in text for part in (*authors, *year))


def test_listing_names_does_not_import_keras():
    code = (
        "import sys, kcnn.models as m; m.names(); dir(m); m.FAMILIES; len(m.MODELS);"
        "m.facts.read(); m.families; 'vgg16' in m.MODELS;"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
