"""What only TensorFlow can do says so on the other backends of Keras."""

import keras

USE_TENSORFLOW = "set KERAS_BACKEND=tensorflow where TensorFlow is installed"


def check_tensorflow(what: str) -> None:
    """Refuse what only TensorFlow can do, such as "Comparisons are made".

    Raises:
        ValueError: Keras computes with something else.

    >>> check_tensorflow("Comparisons are made")
    """
    if keras.config.backend() != "tensorflow":
        raise ValueError(f"{what} by TensorFlow only: {USE_TENSORFLOW}.")
