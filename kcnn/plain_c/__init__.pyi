from .source import CSource as CSource
from .source import write_c as write_c
