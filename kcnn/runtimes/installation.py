"""Where the runtimes that pip cannot bring lie, and how they get there.

They lie in `~/.cache/kcnn/runtimes`, or in the folder that `KCNN_RUNTIMES` names: TFLite Micro in a
virtual environment (its NumPy is not TensorFlow's), LiteRT.js as npm leaves it. Both are pinned.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from kcnn.cache_folder import cache_folder
from kcnn.errors import one_line
from kcnn.runtimes.process import run_program

PAGE = Path(__file__).with_name("web")
"""The page and npm's two files, which pin LiteRT.js by its digest."""

MICRO_VERSION = "0.dev20261023182759"
LITERT_JS_VERSION = json.loads((PAGE / "package.json").read_text())["dependencies"][
    "@litertjs/core"
]

_TIMEOUT = 600.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def folder() -> Path:
    """Return where the runtimes lie."""
    return cache_folder("runtimes", "KCNN_RUNTIMES")


def micro_python() -> Path:
    """Return the Python that has TFLite Micro; `KCNN_TFLITE_MICRO_PYTHON` may name another."""
    named = os.environ.get("KCNN_TFLITE_MICRO_PYTHON")
    return Path(named).expanduser() if named else _python_in(_micro_folder())


def missing_micro() -> str | None:
    """Return why TFLite Micro cannot run and what to do about it, None if it can."""
    if "KCNN_TFLITE_MICRO_PYTHON" in os.environ:
        python = micro_python()
        if python.is_file():
            return None
        return f"KCNN_TFLITE_MICRO_PYTHON names {str(python)!r}, which is no file."
    return _missing("TFLite Micro", _micro_folder())


def missing_litert_js() -> str | None:
    """Return why LiteRT.js cannot run and what to do about it, None if it can."""
    if browser() is None:
        return (
            "LiteRT.js needs a Chromium: install one (Debian: apt install chromium), or name it in "
            "KCNN_CHROMIUM."
        )
    return _missing("LiteRT.js", litert_js_folder())


def litert_js_folder() -> Path:
    """Return the folder whose `node_modules` holds LiteRT.js."""
    return folder() / f"litert-js-{LITERT_JS_VERSION}"


def browser() -> str | None:
    """Return the program that opens the page, None if there is none."""
    named = os.environ.get("KCNN_CHROMIUM")
    return next(filter(None, map(shutil.which, [named] if named else _BROWSERS)), None)


def install() -> list[str]:
    """Install TFLite Micro and LiteRT.js where kcnn looks for them; what is there, stays.

    It needs the network, and npm for LiteRT.js. A browser is not installed.

    Returns:
        What was installed, a line each.

    Raises:
        RuntimeError: pip or npm failed; the message has their last words, and what was installed
            in spite of it.
    """
    done, failed = [], []
    for title, place, fill in (
        (f"TFLite Micro {MICRO_VERSION}", _micro_folder(), _install_micro),
        (f"LiteRT.js {LITERT_JS_VERSION}", litert_js_folder(), _install_litert_js),
    ):
        if _is_whole(place):
            continue
        try:
            _install(title, place, fill)
        except RuntimeError as error:
            failed.append(str(error))
        else:
            done.append(f"{title} in {place}")
    if failed:
        raise RuntimeError(" ".join([*failed, *(f"Installed: {each}." for each in done)]))
    return done


def _install(title: str, place: Path, fill: Callable[[str, Path], None]) -> None:
    shutil.rmtree(place, ignore_errors=True)  # what an interrupted installation left
    place.mkdir(parents=True)
    try:
        fill(title, place)
        _mark(place).touch()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _install_micro(title: str, place: Path) -> None:
    _call([sys.executable, "-m", "venv", place], title, place)
    pip = [_python_in(place), "-m", "pip", "install", "--no-input", "--quiet"]
    pip += ["--disable-pip-version-check", "--only-binary", ":all:"]
    _call([*pip, f"tflite-micro=={MICRO_VERSION}"], title, place)


def _install_litert_js(title: str, place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("LiteRT.js is installed by npm, which is not there: install Node.js.")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PAGE / name, place / name)
    _call([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], title, place)


def _call(command: list[str | os.PathLike], title: str, place: Path) -> None:
    status, written = run_program(command, f"Installing {title}", timeout=_TIMEOUT, folder=place)
    if status:
        reason = one_line(RuntimeError(written[-300:]))
        raise RuntimeError(f"{title} cannot be installed: {reason}")


def _missing(title: str, place: Path) -> str | None:
    if _is_whole(place):
        return None
    return f"{title} is not installed in {place}: run `kcnn verify --install`."


def _is_whole(place: Path) -> bool:
    return _mark(place).is_file()


def _mark(place: Path) -> Path:
    return place / "installed"


def _micro_folder() -> Path:
    return folder() / f"tflite-micro-{MICRO_VERSION}"


def _python_in(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
