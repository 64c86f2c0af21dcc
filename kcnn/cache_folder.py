"""Where kcnn keeps what can be made anew: decoded data sets, installed runtimes."""

import os
from pathlib import Path


def cache_folder(name: str, variable: str) -> Path:
    """Return the folder of one kind of things, which need not be there yet.

    It is the one that the environment variable names, else `$XDG_CACHE_HOME/kcnn/name`, else
    `~/.cache/kcnn/name`.

    Args:
        name: of the kind, such as "data".
        variable: of the environment, such as "KCNN_DATA_CACHE".

    >>> os.environ["KCNN_EXAMPLES"] = "/tmp/examples"
    >>> cache_folder("examples", "KCNN_EXAMPLES").as_posix()
    '/tmp/examples'
    """
    named = os.environ.get(variable)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "kcnn" / name
