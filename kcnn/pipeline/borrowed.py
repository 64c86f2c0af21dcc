"""Networks with weights from elsewhere as the base of a transfer: keras.applications, KerasHub."""

import warnings

import keras

from kcnn.errors import one_line, unknown
from kcnn.pipeline import hub

PREFIX = "keras:"


def is_borrowed(name: str) -> bool:
    """Return whether a base is a network of `keras.applications` or KerasHub, and no file.

    >>> is_borrowed("keras:MobileNetV2"), is_borrowed("runs/resnet20")
    (True, False)
    """
    return name.startswith((PREFIX, hub.PREFIX))


def borrow(name: str, image_shape: tuple[int, ...]) -> keras.Model:
    """Return the network without its head, for images of this shape.

    Keras downloads the weights once, into the folder of `KERAS_HOME`.

    Args:
        name: "keras:" and the name of the network's function in `keras.applications`, or
            "keras_hub:" and a preset.
        image_shape: (height, width, channels) of the data.

    Raises:
        ValueError: there is no such network, or it does not take such images.
        RuntimeError: the weights cannot be downloaded.
    """
    if name.startswith(hub.PREFIX):
        return hub.from_hub(name, image_shape)
    network = name.removeprefix(PREFIX)
    known = [each for each in dir(keras.applications) if each[0].isupper()]
    if network not in known:
        raise unknown("network of keras.applications", network, known)
    if image_shape[-1] != 3:
        raise ValueError(f"{name} takes RGB images. Received: data of shape {tuple(image_shape)}.")
    build = getattr(keras.applications, network)
    try:
        with warnings.catch_warnings():
            # Any size suits the body; some networks warn that the weights are of another one.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
            return build(include_top=False, weights="imagenet", input_shape=tuple(image_shape))
    except ValueError as error:
        raise ValueError(
            f"{name} cannot be built for {tuple(image_shape)}: {one_line(error)}"
        ) from error
    except Exception as error:  # what Keras's download raises
        raise RuntimeError(
            f"The weights of {name} are not on this machine and cannot be downloaded "
            f"({one_line(error)}). On a machine with a network, "
            f"keras.applications.{network}(include_top=False).save('base.keras') writes a file for "
            "transfer.base=base.keras."
        ) from error
