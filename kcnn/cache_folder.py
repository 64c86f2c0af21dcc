"""Where kcnn caches what it can make again: decoded data sets, installed runtimes."""

import os
from pathlib import Path


def cache_folder(name: str, variable: str) -> Path:
    """Return the folder of one kind of cached files, which may not exist yet.

    It is the folder that the environment variable names, else `$XDG_CACHE_HOME/kcnn/name`, else
    `~/.cache/kcnn/name`.

    Args:
        name: What is cached, such as "data".
        variable: Name of the environment variable, such as "KCNN_DATA_CACHE".

    >>> os.environ["KCNN_EXAMPLES"] = "/tmp/examples"
    >>> cache_folder("examples", "KCNN_EXAMPLES").as_posix()
    '/tmp/examples'
    """
    named = os.environ.get(variable)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "kcnn" / name
