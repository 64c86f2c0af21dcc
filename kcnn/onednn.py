"""TensorFlow's oneDNN kernels, also on processors on which TensorFlow leaves them off.

On Linux, TensorFlow turns them on by itself only for processors with instructions for neural
networks, such as AVX-512 VNNI (tensorflow/core/util/port.cc). The ladder in `benchmarks/RESULTS.md`
has the gain on one of the others. TensorFlow reads the variable once, while it is imported.
"""

import functools
import logging
import os
import platform
import sys
from collections.abc import MutableMapping

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
_X86 = ("x86_64", "AMD64")

logger = logging.getLogger("kcnn")


def ask_for_onednn(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have TensorFlow compute with oneDNN, unless it is imported or the user has decided.

    `import kcnn` does this. The variable is left as it is on processors that are not x86-64.

    Args:
        environment: where to set the variable.

    >>> environment = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    >>> ask_for_onednn(environment)
    >>> environment
    {'TF_ENABLE_ONEDNN_OPTS': '0'}
    """
    if "tensorflow" not in sys.modules and platform.machine() in _X86:
        environment.setdefault(VARIABLE, "1")


def has_onednn() -> bool | None:
    """Return whether TensorFlow computes with oneDNN here, None if that is not known.

    >>> has_onednn() in (True, False, None)
    True
    """
    if "tensorflow" not in sys.modules:
        return None
    try:  # TensorFlow has no public name for it
        from tensorflow.python.util._pywrap_util_port import IsMklEnabled
    except ImportError:
        return None
    return bool(IsMklEnabled())


def same_onednn() -> dict[str, str]:
    """Return the environment variable with which a child computes as this process does.

    >>> set(same_onednn()) <= {"TF_ENABLE_ONEDNN_OPTS"}
    True
    """
    found = has_onednn()
    return {} if found is None else {VARIABLE: str(int(found))}


@functools.cache
def warn_without_onednn() -> None:
    """Warn, once in a process, if TensorFlow computes without oneDNN though nobody asked for that.

    TensorFlow was then imported before kcnn. Nothing is said where it has a GPU.
    """
    import tensorflow as tf

    unwanted = os.environ.get(VARIABLE, "").lower() in ("0", "false")
    if unwanted or platform.machine() not in _X86 or has_onednn() is not False:
        return
    if tf.config.get_visible_devices("GPU"):
        return
    logger.warning(
        "TensorFlow was imported before kcnn and computes without oneDNN, which can halve the "
        "speed of training. Restart Python (in a notebook, its kernel) and import kcnn before "
        "keras and tensorflow; or set %s=0 if it is to stay off",
        VARIABLE,
    )
