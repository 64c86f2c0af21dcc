"""Which layer of a model to explain: its spatial feature maps and the best one among them."""

import keras

from kcnn.errors import unknown

# They move, thin out or blank activations without computing new ones, so the map before them
# shows the same evidence at a finer resolution.
_PASSIVE = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.ActivityRegularization,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.UpSampling2D,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Identity,
)

# Each operation and its last output (a list, where it has several), in order of computation.
_Outputs = dict[str, tuple[keras.Operation, keras.KerasTensor | list[keras.KerasTensor]]]


def feature_map(model: keras.Model, layer: str | None = None) -> tuple[str, keras.KerasTensor]:
    """Return the name and the symbolic output of the layer to explain.

    By default it is the last feature map before the head: the last spatial output, larger than
    1x1, of a layer that computes something (a convolution, a normalisation, an activation, a sum
    of branches) and not of one that pools, drops, pads or reshapes. In a usual CNN that is the
    last ReLU. A layer that the model uses more than once stands for its last use.

    Args:
        model: Sequential or functional, built.
        layer: the name of a layer whose output is [N, height, width, channels], or None.

    Raises:
        ValueError: `layer` is unknown or not spatial, or the model has no feature map.

    >>> image = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, name="conv")(image)
    >>> x = keras.layers.ReLU(name="relu")(x)
    >>> x = keras.layers.MaxPooling2D(name="pool")(x)
    >>> model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    >>> name, output = feature_map(model)
    >>> name, output.shape
    ('relu', (None, 6, 6, 4))
    """
    outputs = _outputs(model)
    if layer is None:
        name = _last_feature_map(model, outputs)
        return name, outputs[name][1]
    candidates = [name for name, (_, output) in outputs.items() if _is_spatial(output)]
    if layer not in outputs:
        raise unknown("layer", layer, candidates)
    if layer not in candidates:
        raise ValueError(
            f"Layer {layer!r} has no spatial output of shape [N, height, width, channels], larger "
            f"than 1x1. Received: {_shape(outputs[layer][1])}. With one: {', '.join(candidates)}."
        )
    return layer, outputs[layer][1]


def _outputs(model: keras.Model) -> _Outputs:
    # The model's own nodes: `layer.output` is the first use ever made of a layer, which may lie
    # in another model or be an earlier use in this one.
    nodes = keras.Model(model.inputs, model.outputs, name="graph")._nodes_by_depth
    outputs = {}
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            outputs.pop(node.operation.name, None)
            output = node.outputs[0] if len(node.outputs) == 1 else node.outputs
            outputs[node.operation.name] = (node.operation, output)
    return outputs


def _last_feature_map(model: keras.Model, outputs: _Outputs) -> str:
    operations = [operation for operation, _ in outputs.values()]
    # What comes before the first kernel is preprocessing, no feature map.
    first = next((i for i, operation in enumerate(operations) if _has_kernel(operation)), None)
    names = list(outputs)[first:] if first is not None else []
    for name in reversed(names):
        operation, output = outputs[name]
        if _is_spatial(output) and not isinstance(operation, _PASSIVE):
            return name
        if isinstance(operation, keras.Model) and _has_kernel(operation):
            raise ValueError(
                f"The feature maps of {model.name!r} are hidden inside its nested model {name!r}, "
                f"whose output is {_shape(output)}. Explain {name!r} itself, or build the model "
                "on the nested model's own inputs and outputs."
            )
    raise ValueError(
        f"Model {model.name!r} has no feature map to explain: no layer from its first convolution "
        "on has an output of shape [N, height, width, channels] larger than 1x1."
    )


def _has_kernel(operation: keras.Operation) -> bool:
    """Whether the operation owns weights of rank 3 or more, as convolutions of any kind do."""
    return any(len(weight.shape) >= 3 for weight in getattr(operation, "weights", ()))


def _is_spatial(output: object) -> bool:
    shape = getattr(output, "shape", ())
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _shape(output: object) -> object:
    return getattr(output, "shape", "several tensors")
