"""Each family of models against its paper: layers, map sizes, parameters, equations."""

import math

import keras
import numpy as np
import pytest

from kcnn.models import build

MEAN = np.array([0.4914, 0.4822, 0.4465]) * 255
STD = np.array([0.2470, 0.2435, 0.2616]) * 255


def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")


def count(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def spatial_sizes(model, layer_class):
    return [layer.output.shape[1] for layer in model.layers if type(layer) is layer_class]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_simple_cnn_is_the_chain_of_its_description(rank):
    model = build("simple_cnn", input_shape=(*[8] * rank, 3))
    convolution = ["Conv{}D", "BatchNormalization", "ReLU"]
    block = [*convolution, "MaxPooling{}D", "SpatialDropout{}D"]
    normalization = ["Normalization"] if rank == 2 else []  # the constants are those of images
    chain = [
        *["ZeroPadding{}D", *normalization, *block, *block],
        *["Flatten", "Dense", "ReLU", "Dropout", "Dense"],
    ]
    assert [layer.__class__.__name__ for layer in model.layers] == [
        name.format(rank) for name in chain
    ]
    assert model.get_layer("block1_conv").output.shape == (None, *[8] * rank, 16)
    assert model.get_layer("flatten").output.shape == (None, 32 * 2**rank)
    # 3 inputs and biases, a scale and an offset a filter; 128 units; 10 logits.
    expected = (3**rank * 3 + 3) * 16 + (3**rank * 16 + 3) * 32
    expected += (32 * 2**rank + 1) * 128 + 129 * 10
    assert count(model.trainable_weights) == expected


def test_mlp_is_dense_layers_alone():
    model = build("mlp", units=8, depth=3, dropout=0.0)
    assert [layer.name for layer in model.layers] == [
        *["normalize", "flatten", "dense1", "dense1_relu", "dense2", "dense2_relu"],
        *["dense3", "dense3_relu", "logits"],
    ]
    values = (pixels() - MEAN).astype("float64") / STD
    values = values.reshape(4, -1)
    for name in ("dense1", "dense2", "dense3", "logits"):
        kernel, bias = model.get_layer(name).get_weights()
        values = values @ kernel + bias
        values = values if name == "logits" else np.maximum(values, 0)
    np.testing.assert_allclose(model(pixels()), values, atol=1e-4)


def test_nin_maps_are_the_papers():
    model = build("nin")
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [(conv.filters, conv.kernel_size[0], conv.output.shape[1]) for conv in convs] == [
        *[(192, 5, 32), (160, 1, 32), (96, 1, 32)],
        *[(192, 5, 16), (192, 1, 16), (192, 1, 16)],
        *[(192, 3, 8), (192, 1, 8), (10, 1, 8)],
    ]
    assert [layer.__class__.__name__ for layer in model.layers if "pool" in layer.name] == [
        *["MaxPooling2D", "AveragePooling2D"]
    ]
    maps = keras.Model(model.inputs[0], model.get_layer("block3_conv3_relu").output)(pixels())
    np.testing.assert_allclose(model(pixels()), np.mean(maps, axis=(1, 2)), rtol=1e-5, atol=1e-6)


def test_nin_with_batch_norm():
    filters = 192 + 160 + 96 + 3 * 192 + 2 * 192 + 10
    model = build("nin", batch_norm=True)
    assert count(model.trainable_weights) == 966_986 + 2 * filters
    assert count(model.non_trainable_weights) == 2 * filters


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vgg_has_its_depth_in_weight_layers(depth):
    model = build(f"vgg{depth}", width=2)
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    # The paper has three dense layers, the head for CIFAR one.
    assert len(convs) + 3 == depth
    assert {conv.kernel_size for conv in convs} == {(3, 3)}
    assert spatial_sizes(model, keras.layers.MaxPooling2D) == [16, 8, 4, 2, 1]


def test_vgg_without_batch_norm():
    model = build("vgg16", batch_norm=False)
    assert not any("_bn" in layer.name for layer in model.layers)
    assert (count(model.trainable_weights), count(model.non_trainable_weights)) == (14_719_818, 0)


def test_vgg16_is_the_one_of_keras_applications():
    # Zeros are quick to draw and are replaced anyway.
    zeros = {"class_name": "Zeros", "config": {}}
    options = {"batch_norm": False, "head": "paper", "initializer": zeros}
    model = build("vgg16", input_shape=(224, 224, 3), num_classes=1000, **options)
    assert model.count_params() == 138_357_544
    reference = keras.applications.VGG16(weights=None, classifier_activation=None)
    # Keras draws no biases; with some of their own a lost one shows.
    random = np.random.default_rng(1)
    for theirs, ours in zip(reference.weights, model.weights, strict=True):
        if len(theirs.shape) == 1:
            theirs.assign(random.normal(0, 0.1, theirs.shape))
        ours.assign(theirs)
    # From behind the stem, which pads black before it normalizes and is tested on its own: Keras's
    # network pads what is normalized, so the same zeros are put around its input here.
    body = keras.Model(model.get_layer("normalize").output, model.outputs[0])
    normalized = random.normal(0, 1, (1, 224, 224, 3)).astype("float32")
    bordered = np.pad(normalized, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = reference(normalized)
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(body(bordered), expected, atol=1e-4)


@pytest.mark.parametrize("pooling", ["max", "average", "strides"])
def test_simple_cnn_halves_its_maps_in_any_way(pooling):
    model = build("simple_cnn", pooling=pooling)
    kinds = {"max": "MaxPooling2D", "average": "AveragePooling2D", "strides": "Conv2D"}
    halving = model.get_layer("block2_pool")
    assert type(halving).__name__ == kinds[pooling] and halving.strides == (2, 2)
    assert model.get_layer("block2_dropout").output.shape == (None, 8, 8, 32)
    assert build("simple_cnn", pooling=pooling, input_shape=(20, 2)).output_shape == (None, 10)


@pytest.mark.parametrize(("norm", "shared"), [("batch", True), ("group", False), ("layer", False)])
def test_only_batch_norm_depends_on_the_other_images_of_a_batch(norm, shared):
    keras.utils.set_random_seed(0)
    model = build("simple_cnn", norm=norm, spatial_dropout=0.0, dropout=0.0)
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype("float32")
    together = np.asarray(model(images, training=True))[:1]
    alone = np.asarray(model(images[:1], training=True))
    assert (np.abs(together - alone).max() > 1e-2) == shared
    inner = keras.Model(model.inputs, model.get_layer(f"block1_conv_{norm[0]}n").output)
    maps = inner([images])
    groups = np.asarray(maps).reshape(6, 32, 32, {"layer": 1}.get(norm, 8), -1)
    if norm != "batch":  # of each image and group
        np.testing.assert_allclose(groups.mean(axis=(1, 2, 4)), 0, atol=1e-4)
        np.testing.assert_allclose(groups.std(axis=(1, 2, 4)), 1, atol=1e-2)


def test_simple_cnn_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="Unknown pooling 'min'.*strides"):
        build("simple_cnn", pooling="min")
    with pytest.raises(ValueError, match="Unknown norm 'instance'.*group"):
        build("simple_cnn", norm="instance")
    names = [layer.name for layer in build("simple_cnn", norm="none").layers]
    assert not any(name.endswith(("_bn", "_gn", "_ln")) for name in names)
