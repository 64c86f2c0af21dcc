"""What a model takes and returns: its images, and its one output among several."""

from typing import Any

import keras

from kcnn.errors import Advised, unknown


def image_shape(model: keras.Model) -> tuple[int | None, ...]:
    """Return (height, width, channels) of a model's images, None where any size is allowed.

    All three are None for a subclassed model, which does not show its input.

    >>> image_shape(keras.Sequential([keras.Input((None, None, 3)), keras.layers.ReLU()]))
    (None, None, 3)
    """
    inputs = getattr(model, "inputs", None)
    return tuple(inputs[0].shape[1:]) if inputs else (None, None, None)


def check_size(model: keras.Model, images: Any) -> None:
    """Refuse images of another size than a model takes, which Keras may compute all the same.

    Raises:
        ValueError: the message says which size the model takes.
    """
    wanted, received = image_shape(model), tuple(images.shape[1:])
    if len(wanted) == len(received) and any(
        size not in (None, given) for size, given in zip(wanted, received, strict=True)
    ):
        raise Advised(
            f"Model {model.name!r} takes images of shape {wanted}, the data has {received}.",
            python=f"Of a folder, kcnn.data.load and load_held_out take image_size={wanted[:2]}.",
            command="Only images of folders and of TensorFlow Datasets are resized.",
        )


def as_declared(model: keras.Model, images: Any) -> Any:
    """Return `images` in the structure of a functional model's input: a tensor, list or dict."""
    if not isinstance(model, keras.Function):
        return images
    return keras.tree.map_structure(lambda _: images, model.input)


def select_output(model: keras.Model, name: str) -> keras.Model:
    """Return the part of a model with several outputs that computes one of them.

    Use it to train, score, prune, export or explain one output of a model that has more. Its layers
    are those of `model`, so what trains here trains there.

    Args:
        model: a functional model.
        name: of the output: its key if the model returns a dictionary, else the name of the layer
            or operation that computes it.

    Raises:
        ValueError: there is no such output, or only one.

    >>> image = keras.Input((8,))
    >>> ends = [keras.layers.Dense(count, name=name)(image) for name, count in
    ...         (("kind", 10), ("box", 4))]
    >>> select_output(keras.Model(image, ends), "kind").output_shape
    (None, 10)
    """
    outputs = _outputs(model)
    if not any(outputs):  # a Sequential has no names for its single one
        raise ValueError(f"{model.name!r} has no outputs to choose from: use it as it is.")
    if name not in outputs:
        raise unknown("output", name, outputs)
    return keras.Model(model.input, outputs[name], name=model.name)


def check_single(model: keras.Model, what: str) -> None:
    """Refuse a functional model of several inputs or outputs.

    Args:
        model: any Keras model; one that does not show its graph passes.
        what: what it is refused for, such as "A training"; the message begins with it.

    Raises:
        ValueError: the message says how to choose one output.
    """
    inputs, outputs = getattr(model, "inputs", None) or (), _outputs(model)
    if len(inputs) > 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise ValueError(
            f"{what} needs a model with one input, the images. Received: {model.name!r} with "
            f"{len(inputs)} inputs ({names})."
        )
    if len(outputs) > 1 or isinstance(getattr(model, "_outputs_struct", None), dict):
        names = ", ".join(map(str, outputs))
        raise ValueError(
            f"{what} needs a model with one output. Received: {model.name!r} with the "
            f"outputs {names}. Choose one: kcnn.models.select_output(model, "
            f"{next(iter(outputs))!r})."
        )


def _outputs(model: keras.Model) -> dict[str, Any]:
    """Return the outputs of a model that shows its graph, by the names that Keras gives them."""
    outputs = getattr(model, "outputs", None) or ()
    structure = getattr(model, "_outputs_struct", None)
    if isinstance(structure, dict):
        return dict(structure)
    names = getattr(model, "output_names", None) or [""] * len(outputs)
    return dict(zip(names, outputs, strict=True))
