"""Where a number comes from: the commit, the versions, the hardware and the time."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "kcnn",
    "tensorflow",
    "keras",
    "jax",
    "tf-keras",
    "tensorflow-model-optimization",
    "tensorflow-datasets",
    "ai-edge-litert",
    "numpy",
)


def timestamp() -> str:
    """Return the time in UTC to the second, in ISO 8601 without the zone.

    >>> len(timestamp())
    19
    """
    return datetime.now(UTC).isoformat()[:19]


def git_commit(file: str | os.PathLike = __file__) -> str | None:
    """Return the commit of the checkout that holds `file`, with `+` if anything in it changed.

    None where the file is in no checkout, or is not one of its own, as in site-packages.
    """
    folder = Path(file).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(file).name)
        changed = git("status", "--porcelain", "--untracked-files=no", ":/")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(values: object) -> str:
    """Return the SHA-256 of plain JSON, whatever its white space and the order of its keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of those `packages` that are installed."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):  # TensorFlow may be absent on the JAX backend
            found[name] = version(name)
    return found


def processor_family(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the family and the model number of the processor, "" where they are not known.

    Virtual machines may give processors of several generations the same name.
    """
    if not cpuinfo.is_file():
        return ""
    pairs = (line.partition(":")[::2] for line in cpuinfo.read_text().splitlines())
    known = {name.strip(): value.strip() for name, value in pairs}
    found = [known.get("cpu family"), known.get("model")]
    return f"family {found[0]}, model {found[1]}" if all(found) else ""


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return the names of the processor's instruction sets, none where they are not known."""
    if not cpuinfo.is_file():
        return frozenset()
    lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")]
    return frozenset(lines[0].partition(":")[2].split() if lines else ())


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name that the processor gives itself."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def with_family(name: str, family: str) -> str:
    """Return the name of a processor and its family.

    >>> with_family("AMD EPYC", "family 25, model 17")
    'AMD EPYC (family 25, model 17)'
    """
    return f"{name} ({family})" if family else name


def hardware() -> dict[str, str | int]:
    """Return the processor, the cores this process may use, and the system.

    The processor is its name with `processor_family`, as in "AMD EPYC (family 25, model 17)".
    """
    processor = with_family(processor_name(), processor_family())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": processor, "cores": cores or 1, "system": platform.system()}
