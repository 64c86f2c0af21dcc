"""A user's own function by its place, "module:function": a network, an augmentation, a stage."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any

from kcnn.errors import one_line


def is_own(name: str) -> bool:
    """Return whether a name stands for the user's own code and not for something of kcnn.

    >>> is_own("my_package.nets:tiny"), is_own("resnet20")
    (True, False)
    """
    return ":" in name


def check_place(place: str, kind: str) -> None:
    """Raise a ValueError unless `place` reads as "module:function"; nothing is imported.

    >>> check_place("my_package.nets:", "network")
    Traceback (most recent call last):
    ValueError: Own network must be 'module:function'. Received: 'my_package.nets:'
    """
    module, _, function = place.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), function]):
        raise ValueError(f"Own {kind} must be 'module:function'. Received: {place!r}")


def resolve(place: str, kind: str) -> Any:
    """Import what "module:function" names and return it.

    The module may lie in the current folder, which Python does not search for a command such as
    `kcnn`, in a folder that `importable` adds, or anywhere else on Python's path.

    Args:
        place: The module with its packages, a colon, and the name in that module.
        kind: What it is used for, such as "network"; only error messages show it.

    Returns:
        What the module holds under that name; the caller checks that it is of use.

    Raises:
        ValueError: If `place` is malformed, there is no such module, importing it raises an error,
            or the module has no such name.

    >>> resolve("math:sqrt", "network")(4)
    2.0
    >>> resolve("math:sqroot", "network")
    Traceback (most recent call last):
    ValueError: Own network 'math:sqroot': module 'math' has no 'sqroot'. Did you mean 'sqrt'?
    """
    check_place(place, kind)
    name, _, function = place.partition(":")
    with importable(Path.cwd()):
        module = _imported(name, f"Own {kind} {place!r}")
    if not hasattr(module, function):
        close = get_close_matches(function, dir(module), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"Own {kind} {place!r}: module {name!r} has no {function!r}.{hint}")
    return getattr(module, function)


@contextmanager
def importable(*folders: Path) -> Iterator[None]:
    """Let Python import modules from these folders, first of all, inside a `with` block."""
    added = [str(folder.absolute()) for folder in folders]
    sys.path[:0] = added
    try:
        yield
    finally:
        for folder in added:
            if folder in sys.path:  # the user's code may have removed it
                sys.path.remove(folder)


def _imported(name: str, what: str) -> ModuleType:
    invalidate_caches()  # the file may be younger than Python's list of its folder
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"{what}: there is no module {error.name!r} in the current folder "
                f"{str(Path.cwd())!r}, beside the recipe, or installed."
            ) from None
        raise ValueError(f"{what}: importing {name!r} failed: {one_line(error)}") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ValueError(f"{what}: importing {name!r} failed: {reason}") from error
