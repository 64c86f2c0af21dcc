from .installation import install as install
from .page import write_page as write_page
from .registry import RUNTIMES as RUNTIMES
from .registry import find_runtime as find_runtime
from .runtime import Run as Run
from .runtime import Runtime as Runtime
from .timing import Latency as Latency
from .timing import latency as latency
