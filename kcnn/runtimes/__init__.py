"""The same `.tflite` file on every runtime that a user may have, none of them a mock.

`RUNTIMES` has LiteRT with its three sets of kernels, TFLite Micro, and LiteRT.js in a browser. All
of them run in processes of their own: a file that crashes one does not crash the caller.
"""

from functools import partial
from types import MappingProxyType

from kcnn.runtimes import litert, micro, web
from kcnn.runtimes.installation import install
from kcnn.runtimes.page import write_page
from kcnn.runtimes.runtime import Run, Runtime
from kcnn.runtimes.timing import Latency, latency

__all__ = ["RUNTIMES", "Latency", "Run", "Runtime", "install", "latency", "write_page"]


RUNTIMES = MappingProxyType(
    {
        runtime.name: runtime
        for runtime in (
            Runtime("litert", "LiteRT, XNNPACK", litert.run, litert.available),
            Runtime(
                "litert-optimised",
                "LiteRT, optimised kernels",
                partial(litert.run, kernels="optimised"),
                litert.available,
            ),
            Runtime(
                "litert-reference",
                "LiteRT, reference kernels",
                partial(litert.run, kernels="reference"),
                litert.available,
            ),
            Runtime("tflite-micro", "TFLite Micro", micro.run, micro.available),
            Runtime("litert-js", "LiteRT.js in Chromium", web.run, web.available),
        )
    }
)
"""The runtimes by their names, in the order of a report."""
