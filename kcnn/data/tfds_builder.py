"""Find a set of TensorFlow Datasets and, the first time, download it."""

import contextlib
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import tensorflow_datasets as tfds

from kcnn.data.catalogue import SOURCES
from kcnn.errors import unknown

_CONNECT_SECONDS = 3
_PORTS = {"http": 80, "https": 443, "ftp": 21}
_ADVICE = (
    "Pass data_dir (--data-dir) or set TFDS_DATA_DIR to the folder of a prepared copy, or use "
    "'digits', which needs no download."
)

# Of a set, a configuration and a version: tfds says of other names that they cannot be parsed.
_NAME = re.compile(r"\w+([/:][\w./:+=-]*)*")

logger = logging.getLogger("kcnn")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence tfds's warnings about folders that do not exist yet."""
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    try:
        yield
    finally:
        absl.setLevel(level)


@_quiet()
def find(name: str, data_dir: str | os.PathLike | None) -> tfds.core.DatasetBuilder:
    """Return the builder of a set, which describes the set before it is downloaded.

    Raises:
        ValueError: If tfds has no such set, version or configuration, or cannot read the files
            that describe a prepared one.
    """
    try:
        data_dir = None if data_dir is None else os.path.expanduser(data_dir)
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        raise _not_found(name) from None
    except Exception as error:  # every set has code of its own, and its files may be damaged
        if not _NAME.fullmatch(name):
            raise _not_found(name) from None
        raise ValueError(
            f"TensorFlow Datasets cannot build data set {name!r}: {_first_line(error)}"
        ) from error


def _not_found(name: str) -> ValueError:
    known = tfds.list_builders(with_community_datasets=False)
    close = get_close_matches(name.replace("-", "_"), [*known, *SOURCES], n=3)
    return unknown("data set", name, {*SOURCES, *close})


@_quiet()
def prepare(builder: tfds.core.DatasetBuilder) -> None:
    """Download a set and write it to its folder, unless it is prepared already.

    Raises:
        RuntimeError: If that fails; at once where there is no network.
    """
    if builder.is_prepared():
        return
    root = Path(builder.data_path).parents[builder.info.full_name.count("/")]
    where = f"Data set {builder.name!r} is not in {str(root)!r}"
    host = _unreachable_host(builder, root / "downloads")
    if host:
        raise RuntimeError(f"{where} and {host} cannot be reached. {_ADVICE}")
    logger.info("Downloading data set %r to %s, once.", builder.name, builder.data_path)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            builder.download_and_prepare()
    except Exception as error:  # every set has code of its own, which may raise anything
        reason = _first_line(error)
        raise RuntimeError(f"{where} and preparing it failed: {reason} {_ADVICE}") from error


def _unreachable_host(builder: tfds.core.DatasetBuilder, downloads: Path) -> str | None:
    """Return one of the set's hosts if none of them answers; tfds would retry for minutes."""
    if getproxies() or any(downloads.rglob("*.INFO")):  # a proxy decides, or there are files
        return None
    urls = [urlsplit(url) for url in builder.url_infos or ()]
    hosts = {url.hostname: _PORTS.get(url.scheme, 443) for url in urls if url.hostname}
    for address in hosts.items():
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
            return None
    return next(iter(hosts), None)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
