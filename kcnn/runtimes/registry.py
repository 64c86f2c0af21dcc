"""The runtimes that kcnn knows, by their names. A new runtime is a module and a row here."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from kcnn.errors import unknown
from kcnn.own_code import is_own, resolve
from kcnn.runtimes import litert, mediapipe, micro, plain_c, web
from kcnn.runtimes.runtime import ROUNDING, Runtime

RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        runtime.name: runtime
        for runtime in (
            Runtime("litert", "LiteRT, XNNPACK", litert.run, litert.available, golden=True),
            Runtime(
                "litert-compiled",
                "LiteRT, CompiledModel",
                litert.run_compiled,
                litert.available,
                golden=True,
                held_to="litert",
            ),
            Runtime(
                "litert-optimized",
                "LiteRT, optimized kernels",
                partial(litert.run, kernels="optimized"),
                litert.available,
            ),
            Runtime(
                "litert-reference",
                "LiteRT, reference kernels",
                partial(litert.run, kernels="reference"),
                litert.available,
            ),
            Runtime(
                "tflite-micro",
                "TFLite Micro",
                micro.run,
                micro.available,
                held_to="litert-reference",  # it rounds in the same places
                tolerance=ROUNDING,
            ),
            Runtime(
                "mediapipe",
                "MediaPipe",
                mediapipe.run,
                mediapipe.available,
                io="uint8",
                held_to="litert",
                tolerance=ROUNDING,  # it brings an XNNPACK of its own
            ),
            Runtime(
                "plain-c",
                "Plain C",
                plain_c.run,
                plain_c.available,
                held_to="litert-reference",  # whose arithmetic it repeats
            ),
            Runtime(
                "litert-js",
                "LiteRT.js in Chromium",
                web.run,
                web.available,
                io="uint8",
                golden=True,
                held_to="litert",  # it is the same XNNPACK, compiled to WebAssembly
            ),
        )
    }
)
"""The runtimes by their names, in the order of a report."""

_OLD_NAMES = {"litert-optimised": "litert-optimized"}


def find_runtime(runtime: str | Runtime) -> Runtime:
    """Return the runtime of a name; a `Runtime` is returned as it is.

    Args:
        runtime: a name in `RUNTIMES`, or your own `Runtime`, also by its place: "module:name".

    Raises:
        ValueError: there is no such runtime.

    >>> find_runtime("litert-js").held_to
    'litert'
    >>> find_runtime("litert.js")
    Traceback (most recent call last):
    ValueError: Unknown runtime 'litert.js'. Did you mean 'litert-js'? ...
    """
    if isinstance(runtime, Runtime):
        return runtime
    if is_own(runtime):
        own = resolve(runtime, "runtime")
        if not isinstance(own, Runtime):
            received = type(own).__name__
            raise ValueError(f"{runtime!r} must be a kcnn.runtimes.Runtime. Received: {received}.")
        return own
    name = _OLD_NAMES.get(runtime, runtime)
    if name not in RUNTIMES:
        raise unknown("runtime", name, RUNTIMES)
    return RUNTIMES[name]
