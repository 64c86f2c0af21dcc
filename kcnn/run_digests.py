"""Whether the files of a run are as it wrote them: its journal, `run.json`, has their SHA-256."""

import json
from pathlib import Path
from typing import Any

from kcnn.provenance import sha256, sha256_of_json
from kcnn.run_dir import RunDir


def write_digest(values: dict[str, Any]) -> str:
    """Return the text of a journal with these values and their digest."""
    return json.dumps(values | {"sha256": sha256_of_json(values)}, indent=2) + "\n"


def read_journal(run_dir: RunDir) -> dict[str, Any] | None:
    """Return the values of a run's journal, None where there is none.

    Raises:
        ValueError: the file is no journal, such as one of another program, or has changed.
    """
    file, whole = run_dir.journal, False
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        digest = values.pop("sha256", None)  # the first journals had none
        whole = digest == sha256_of_json(values)
        if _is_journal(values) and (digest is None or whole):
            return values
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass
    raise unusable(file, "is of another version of kcnn" if whole else "is damaged")


def unusable(journal: Path, what: str = "is of another version of kcnn") -> ValueError:
    """Return the error of a journal that cannot be gone on with."""
    return ValueError(
        f"{str(journal)!r} {what}: pass --overwrite to begin again, or remove it to use the "
        "folder's files as they are."
    )


def _is_journal(values: dict[str, Any]) -> bool:
    """Return whether these are the fields of a journal, each of its type."""
    required = {"begun": str, "finished": bool, "deterministic": bool, "steps": dict}
    later = {"complete": bool, "replaces": bool, "stop_reason": str}  # the first journals had none
    return (
        required.keys() <= values.keys() <= required.keys() | later.keys()
        and all(isinstance(value, (required | later)[name]) for name, value in values.items())
        and all(_is_step(step) for step in values["steps"].values())
    )


def _is_step(step: Any) -> bool:
    return (
        isinstance(step, dict)
        and step.keys() == {"files", "facts"}
        and isinstance(step["facts"], dict)
        and isinstance(step["files"], dict)
        and all(isinstance(digest, str) for digest in step["files"].values())
    )


def check_unchanged(*files: Path) -> None:
    """Refuse files of a run that are not as the run wrote them.

    Files that the run's journal does not know pass, as do those of a run without a journal.

    Raises:
        ValueError: a file has changed; it is named.
    """
    for file in files:
        if not file.is_file() or RunDir.of(file).path != file.parent:
            continue
        run_dir = RunDir(file.parent)
        values = read_journal(run_dir)
        if values is None:
            continue
        digests: dict[str, str] = {}
        for step in values["steps"].values():  # of a file written twice, the last one
            digests |= step["files"]
        if file.name in digests and digests[file.name] != sha256(file):
            advice = f"restore it, or remove {run_dir.journal.name} to use it as it is"
            if not values["finished"]:
                advice = "continue the run, which makes it again"
            raise ValueError(f"{str(file)!r} has changed since the run wrote it: {advice}.")
