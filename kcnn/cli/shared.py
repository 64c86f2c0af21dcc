"""What the commands share: a flag, and a quiet start of TensorFlow."""

import os
from typing import Annotated

import typer

from kcnn.litert.native_log import native_log

DataDir = Annotated[
    str | None, typer.Option(help="Where prepared tfds data sets lie (or TFDS_DATA_DIR).")
]


def start_tensorflow() -> None:
    """Import TensorFlow and find its devices without the dozen lines it writes about that."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_log():
        import tensorflow as tf

        tf.config.list_physical_devices()
