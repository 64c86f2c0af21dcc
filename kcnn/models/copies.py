"""A copy of one layer, also of a user's own, and the reason why a layer cannot be copied."""

from typing import Any

import keras

from kcnn.errors import one_line
from kcnn.models.formats import NOT_LOCATED


def copy_layer(layer: Any, layer_class: Any = None, **options: Any) -> Any:
    """Return a copy of a layer or operation, without its weights.

    The copy has the name of `layer` even where the class does not put it in its configuration, and
    a copied `Lambda` has the same function.

    Args:
        layer: it is not changed.
        layer_class: of the copy; None for the class of `layer`.
        **options: of the copy, where they differ from those of `layer`.

    Raises:
        ValueError: the layer cannot be copied; the message names it and says what to do.

    >>> layer = keras.layers.Dense(2, activation="relu", name="scores")
    >>> copy = copy_layer(layer, activation="linear")
    >>> copy.name, copy.units, copy.activation.__name__
    ('scores', 2, 'linear')
    """
    try:
        if layer.__class__ is keras.layers.Lambda:
            return _copy_lambda(layer)
        copy = (layer_class or layer.__class__).from_config(layer.get_config() | options)
    except Exception as error:  # layers of the user's own raise anything when they are copied
        raise cannot_copy(layer, error) from error
    name = options.get("name", layer.name)
    if copy.name != name:
        copy.name = name
    return copy


def check_copies(model: keras.Model) -> None:
    """Check that Keras can make every layer of a model again from its configuration.

    Raises:
        ValueError: it cannot; the message names the layer and says what to do.
    """
    for layer in model.layers:
        try:
            keras.layers.deserialize(keras.layers.serialize(layer))
        except Exception as error:  # as above
            raise cannot_copy(layer, error) from error


def cannot_copy(layer: Any, error: Exception) -> ValueError:
    """Return the error for a layer that cannot be copied, in one line with a way out."""
    where = f"Layer {layer.name!r} ({type(layer).__name__}) cannot be copied"
    if isinstance(layer, keras.layers.Lambda):
        return ValueError(
            f"{where}: it holds a Python function. Use keras.ops, or a class of layer of your own, "
            "in its place."
        )
    if found := NOT_LOCATED.search(str(error)):
        return ValueError(
            f"{where}: its {found[1]} {found[2]!r} is not known. Put "
            "@keras.saving.register_keras_serializable() above it."
        )
    return ValueError(
        f"{where}: {one_line(error)} Its class needs a get_config that returns all arguments of "
        "__init__, and an __init__ that takes **kwargs and passes them on."
    )


def _copy_lambda(layer: Any) -> Any:
    return keras.layers.Lambda(
        layer.function,
        output_shape=layer._output_shape,
        mask=layer.mask,
        arguments=layer.arguments,
        name=layer.name,
        dtype=layer.dtype_policy,
    )
