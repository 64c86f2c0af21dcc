"""What the lessons in this folder import: pictures and checks in English, and saved results."""

import sys
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import lesson_tools
from exercises import check as _check
from figures import speak
from lesson_tools import *  # noqa: F403

__all__ = ["check"]
__all__ += lesson_tools.__all__

check = partial(_check, "en")
speak("en")
