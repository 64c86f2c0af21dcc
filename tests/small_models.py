"""Small models whose explanation is known exactly, and images and checks for them."""

import keras
import numpy as np

LAYERS = keras.layers


def images(count=4, size=12, seed=0):
    shape = (count, size, size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype="uint8")


def randomize(model, seed=0):
    """Set every weight, also biases and moving statistics, to a random value."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        scale = 1 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.5
        values = rng.normal(0, scale, weight.shape)
        positive = "variance" in weight.name or "gamma" in weight.name
        weight.assign(np.abs(values) + 0.5 if positive else values)
    return model


def stem():
    return [
        LAYERS.Rescaling(1 / 127.5, offset=-1, name="rescale"),
        LAYERS.Conv2D(6, 3, padding="same", use_bias=False, name="conv"),
        LAYERS.BatchNormalization(name="bn"),
        LAYERS.ReLU(name="relu"),
    ]


def gap_model(*head, classes=5, size=12):
    head = head or (LAYERS.Dense(classes, name="logits"),)
    body = [*stem(), LAYERS.GlobalAveragePooling2D(name="gap"), *head]
    return randomize(keras.Sequential([keras.Input((size, size, 3)), *body]))


def flatten_model():
    head = [
        LAYERS.MaxPooling2D(),
        LAYERS.SpatialDropout2D(0.5),
        LAYERS.Flatten(name="flatten"),
        LAYERS.Dense(7, activation="relu", name="hidden"),
        LAYERS.Dropout(0.5),
        LAYERS.Dense(4, name="logits"),
    ]
    return randomize(keras.Sequential([keras.Input((6, 6, 3)), *stem(), *head]))


def mean_color_model(ending, channels=3):
    """Return a model whose logits are the mean red, green and blue, with 6 for the value 255."""
    image = keras.Input((8, 8, channels))
    identity = np.eye(channels, 3, dtype="float32")
    share = LAYERS.Conv2D(3, 1, activation="relu", name="share")
    dense = LAYERS.Dense(3, activation=ending)
    model = keras.Model(image, dense(LAYERS.GlobalAveragePooling2D()(share(image))))
    share.set_weights([identity[None, None], np.zeros(3)])
    dense.set_weights([np.eye(3) * 6 / 255, np.zeros(3)])
    return model


def output_of(model, layer, batch):
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    return np.asarray(part(batch.astype("float32"), training=False)).astype("float64")


def signed_cam(model, batch, class_index, layer="relu", head="logits"):
    """Return the CAM without ReLU, in float64: sum over k of w[k, class] A[k] / places."""
    features = output_of(model, layer, batch)
    kernel = model.get_layer(head).kernel.numpy().astype("float64")
    maps = np.einsum("nhwk,kn->nhw", features, kernel[:, class_index])
    return maps / np.prod(features.shape[1:3])


def assert_same_map(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def assert_rectified(received, signed):
    """Expect the positive part of a signed map, to 1e-5 of its largest absolute value."""
    atol = 1e-5 * np.abs(signed).max()
    np.testing.assert_allclose(received, np.maximum(signed, 0), rtol=1e-5, atol=atol)


def snapshot(model):
    """Return the state of a model that an explanation must not change."""
    layers = model._flatten_layers()
    weights = [weight.numpy().copy().tobytes() for weight in model.weights]
    flags = [(layer.trainable, layer.built, layer.dtype_policy.name) for layer in layers]
    nodes = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in layers]
    attributes = [{k: id(v) for k, v in vars(layer).items() if k != "_called"} for layer in layers]
    return weights, [w.path for w in model.trainable_weights], flags, nodes, attributes
