"""One process at a time in a run's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcnn.folder_lock import locked


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a run's folder while inside; made if absent.

    Raises:
        ValueError: Another process holds the folder.
    """

    def refuse() -> None:
        raise ValueError(
            f"Another run is writing into {str(folder)!r}: wait for it, or name another --out."
        ) from None

    with locked(folder, refuse):
        yield
