"""What the lessons in this folder import: pictures and checks in English, and saved results."""

import sys
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from exercises import check as _check
from figures import speak
from lesson_tools import DATA, SAVED, images_of, outcomes, photographs, show, test_accuracies

__all__ = [
    "DATA",
    "SAVED",
    "check",
    "images_of",
    "outcomes",
    "photographs",
    "show",
    "test_accuracies",
]

check = partial(_check, "en")
speak("en")
