"""Install the runtimes that kcnn's own installation cannot bring, and find them.

They are in `~/.cache/kcnn/runtimes`, or in the folder that `KCNN_RUNTIMES` names: TFLite Micro in a
virtual environment, because it needs another NumPy than TensorFlow, MediaPipe in another one,
because it brings a hundred megabytes, and LiteRT.js as npm installs it. All versions are pinned.
"""

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from kcnn.cache_folder import cache_folder
from kcnn.errors import one_line, unknown
from kcnn.folder_lock import locked
from kcnn.runtimes.process import run_program

PAGE = Path(__file__).with_name("web")
"""The folder of the page and of npm's two files, which pin LiteRT.js by its digest."""

MICRO_VERSION = "0.dev20261023182759"
MEDIAPIPE_VERSION = "1.2.3"
LITERT_JS_VERSION = json.loads((PAGE / "package.json").read_text())["dependencies"][
    "@litertjs/core"
]

INSTALLED = ("tflite-micro", "mediapipe", "litert-js")
"""The runtimes that `install` installs."""

logger = logging.getLogger("kcnn")

_TIMEOUT = 600.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def folder() -> Path:
    """Return the folder of the installed runtimes."""
    return cache_folder("runtimes", "KCNN_RUNTIMES")


def micro_python() -> Path:
    """Return the Python that has TFLite Micro: `KCNN_TFLITE_MICRO_PYTHON`, or the installed one."""
    named = os.environ.get("KCNN_TFLITE_MICRO_PYTHON")
    return Path(named).expanduser() if named else _python_in(_micro_folder())


def missing_micro() -> str | None:
    """Return None if TFLite Micro can run, otherwise why not and what to do about it."""
    if "KCNN_TFLITE_MICRO_PYTHON" in os.environ:
        python = micro_python()
        if python.is_file():
            return None
        return f"KCNN_TFLITE_MICRO_PYTHON names {str(python)!r}, which is no file."
    return _missing("TFLite Micro", _micro_folder())


def mediapipe_python() -> Path:
    """Return the Python that has MediaPipe."""
    return _python_in(_mediapipe_folder())


def missing_mediapipe() -> str | None:
    """Return None if MediaPipe can run, otherwise why not and what to do about it."""
    return _missing("MediaPipe", _mediapipe_folder())


def missing_litert_js() -> str | None:
    """Return None if LiteRT.js can run, otherwise why not and what to do about it."""
    if browser() is None:
        return (
            "LiteRT.js needs a Chromium: install one (Debian: apt install chromium), or name it in "
            "KCNN_CHROMIUM."
        )
    return _missing("LiteRT.js", litert_js_folder())


def litert_js_folder() -> Path:
    """Return the folder whose `node_modules` holds LiteRT.js."""
    return folder() / f"litert-js-{LITERT_JS_VERSION}"


def litert_js() -> dict[str, bytes]:
    """Return the files of LiteRT.js that a page which holds them needs, by what they are.

    The WebAssembly is the one for browsers without relaxed SIMD, which all others run too.

    Raises:
        RuntimeError: LiteRT.js is not installed.
    """
    place = litert_js_folder()
    if not _is_whole(place):
        raise RuntimeError(
            f"LiteRT.js, which runs networks in a page, is not installed in {place}: pass "
            '--install, or call kcnn.runtimes.install(["litert-js"]). It needs npm, which is part '
            "of Node.js."
        )
    parts = place / "node_modules" / "@litertjs"
    wasm = parts / "core" / "wasm"
    return {
        "core": (parts / "core" / "dist" / "index.js").read_bytes(),
        "helper": (parts / "wasm-utils" / "dist" / "index.js").read_bytes(),
        "loader": (wasm / "litert_wasm_compat_internal.js").read_bytes(),
        "program": (wasm / "litert_wasm_compat_internal.wasm").read_bytes(),
    }


def browser() -> str | None:
    """Return the Chromium that opens the page: `KCNN_CHROMIUM`, or one found; None without one."""
    named = os.environ.get("KCNN_CHROMIUM")
    return next(filter(None, map(shutil.which, [named] if named else _BROWSERS)), None)


def install(names: Collection[str] = INSTALLED) -> list[str]:
    """Install TFLite Micro, MediaPipe and LiteRT.js where kcnn looks for them.

    What is there is left alone. It needs the network, and npm for LiteRT.js. It does not install a
    browser. A second process waits until the first one is done.

    Args:
        names: which of them: keys of `kcnn.runtimes.RUNTIMES`.

    Returns:
        One line for each runtime that was installed.

    Raises:
        ValueError: kcnn installs no runtime of such a name.
        RuntimeError: pip or npm failed; the message has the end of their output, and names what was
            installed nevertheless.
    """

    def say() -> None:
        logger.warning("waiting for another process that installs into %s", folder())

    for name in names:
        if name not in INSTALLED:
            raise unknown("runtime", name, INSTALLED)
    steps = (
        (f"TFLite Micro {MICRO_VERSION}", _micro_folder(), _install_micro),
        (f"MediaPipe {MEDIAPIPE_VERSION}", _mediapipe_folder(), _install_mediapipe),
        (f"LiteRT.js {LITERT_JS_VERSION}", litert_js_folder(), _install_litert_js),
    )
    done, failed = [], []
    with locked(folder(), say):
        for name, (title, place, fill) in zip(INSTALLED, steps, strict=True):
            if name not in names or _is_whole(place):
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
    _install_package(f"tflite-micro=={MICRO_VERSION}", title, place)


def _install_mediapipe(title: str, place: Path) -> None:
    _install_package(f"mediapipe=={MEDIAPIPE_VERSION}", title, place)


def _install_package(package: str, title: str, place: Path) -> None:
    _call([sys.executable, "-m", "venv", place], title, place)
    pip = [_python_in(place), "-m", "pip", "install", "--no-input", "--quiet"]
    pip += ["--disable-pip-version-check", "--only-binary", ":all:"]
    _call([*pip, package], title, place)


def _install_litert_js(title: str, place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm, which installs LiteRT.js, is not there: install Node.js.")
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


def _mediapipe_folder() -> Path:
    return folder() / f"mediapipe-{MEDIAPIPE_VERSION}"


def _python_in(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
