"""Where the trials of a study are kept: a journal file, or a database that machines share."""

import logging
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import (
    JournalFileBackend,
    JournalFileOpenLock,
    JournalFileSymlinkLock,
)

from kcnn.errors import one_line

JOURNAL = "trials.log"
"""The journal file in a study's folder."""

_CONNECT_SECONDS = 10
_TRIES, _PAUSE = 5, 1.0  # of processes that make the tables of a new database at once

logger = logging.getLogger("kcnn")


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """Return the storage of a study.

    Args:
        url: A database, such as postgresql://USER@HOST/DATABASE or sqlite:///FILE; None for a
            journal file in `folder`, which needs no server. Processes on one machine, or on
            machines with a common file system, can share it.
        folder: The study's folder.

    Raises:
        ValueError: The URL cannot be used, the database cannot be reached, or the journal file is
            damaged.
    """
    if url is None:
        return _journal(folder / JOURNAL)
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        shown = make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        raise ValueError(
            "--storage is the URL of a database, such as postgresql://USER@HOST/DATABASE or "
            "sqlite:///FILE; without it, the study's folder has a journal file. "
            f"Received: {url.rpartition('@')[2]!r}"
        ) from None
    return _database(_with_driver(url), shown)


def _journal(file: Path) -> JournalStorage:
    kind = JournalFileOpenLock if os.name == "nt" else JournalFileSymlinkLock
    try:
        return JournalStorage(JournalFileBackend(str(file), lock_obj=kind(str(file))))
    except OSError:
        raise
    except Exception as error:  # of JSON and of whatever Optuna makes of it
        raise ValueError(
            f"{str(file)!r} is damaged: {one_line(error)}. Name another folder with --out to begin "
            "again; the runs of the trials are whole."
        ) from error


def _with_driver(url: str) -> str:
    """Return the URL with the driver of PostgreSQL that is installed."""
    scheme, _, rest = url.partition("://")
    plain = scheme in ("postgresql", "postgres")
    return f"postgresql+psycopg://{rest}" if plain and not find_spec("psycopg2") else url


def _database(url: str, shown: str) -> RDBStorage:
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    options: dict[str, Any] = {"pool_pre_ping": True}  # a server may have been started again
    if url.startswith("postgresql"):
        options["connect_args"] = {"connect_timeout": _CONNECT_SECONDS}
    for tries_left in reversed(range(_TRIES)):
        try:
            return RDBStorage(url, engine_kwargs=options)
        except (ImportError, NoSuchModuleError) as error:
            raise ValueError(
                f"The storage {shown!r} needs a driver that is not installed: {one_line(error)}. "
                "For PostgreSQL: pip install 'kcnn[tune]'."
            ) from error
        except (SQLAlchemyError, OptunaError, RuntimeError) as error:
            if tries_left and _of_tables(error):  # another process makes them, too
                time.sleep(_PAUSE)
                continue
            raise ValueError(f"The storage {shown!r} cannot be used: {one_line(error)}") from error
    raise AssertionError  # the last try returns or raises


def _of_tables(error: Exception) -> bool:
    """Return whether an error says that the tables are there already, or not all of them yet."""
    text = str(error)
    return any(part in text for part in ("already exists", "duplicate key", "does not exist"))
