"""Faults put into kcnn one at a time: for each, a test must fail.

    python -m tests.campaign.faults

Each fault takes away what keeps a promise, in a copy of the source tree.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("kcnn", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Fault:
    """A change of one place of the source.

    Attributes:
        file: the file, by its path in the repository.
        old: the text that is replaced; it occurs once.
        new: what replaces it.
        test: the test that must fail then.
    """

    file: str
    old: str
    new: str
    test: str

    def inject(self, tree: Path) -> None:
        """Change the file in a copy of the source tree."""
        file = tree / self.file
        text = file.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.old!r} is not once in {self.file}, but {text.count(self.old)}")
        file.write_text(text.replace(self.old, self.new))


_ORDER = "test_run_dir.py::test_a_file_is_flushed_before_its_name_appears_and_the_folder_after"
_DIVERGED = "test_state.py::test_a_loss_that_is_not_finite_becomes_no_best"
FAULTS = {
    "the file is not flushed": Fault(
        "kcnn/run_dir.py", "os.fsync(written.fileno())", "pass", _ORDER
    ),
    "the folder is not flushed": Fault(
        "kcnn/run_dir.py", "        _flush_folder(path.parent)\n", "", _ORDER
    ),
    "the file is copied, not renamed": Fault(
        "kcnn/run_dir.py",
        "os.replace(temporary, path)",
        "shutil.copyfile(temporary, path)",
        _ORDER,
    ),
    "a failed write stays": Fault(
        "kcnn/run_dir.py",
        "temporary.unlink(missing_ok=True)",
        "pass",
        "test_run_dir.py::test_a_failed_write_leaves_the_old_file_and_nothing_else",
    ),
    "the state before is not kept": Fault(
        "kcnn/callbacks/checkpoints.py",
        "os.replace(self.last, self.previous)",
        "pass",
        "test_state.py::test_a_damaged_last_state_leaves_the_one_before",
    ),
    "a state's digest is not checked": Fault(
        "kcnn/callbacks/state_file.py",
        "hashlib.sha256(body).digest() != digest",
        "False",
        "test_state.py::test_a_whole_state_with_another_digest_is_refused",
    ),
    "the digests in the journal are not checked": Fault(
        "kcnn/pipeline/journal.py",
        "not path.is_file() or sha256(path) != digest",
        "not path.is_file()",
        "test_resume.py::test_a_step_whose_file_has_changed_has_to_be_done_again",
    ),
    "the digests of a bundle are not checked": Fault(
        "kcnn/bundle/manifest.py",
        "sha256(inside(folder, name)) != digest",
        "not inside(folder, name)",
        "test_bundle.py::test_what_is_no_bundle_is_refused",
    ),
    "the folder is not locked": Fault(
        "kcnn/folder_lock.py",
        "            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "            pass",
        "test_lock.py::test_the_lock_of_another_process_is_respected_and_dies_with_it",
    ),
    "a .tflite file is not tried in a child": Fault(
        "kcnn/litert/trial.py",
        "_try(data, path, use, seconds, memory)",
        "pass",
        "test_trial.py::test_a_file_that_takes_too_long_is_refused",
    ),
    "the scales of a .tflite file are not checked": Fault(
        "kcnn/litert/structure.py",
        "not 0 < scale < math.inf",
        "False",
        "test_structure.py::test_what_is_wrong_is_named",
    ),
    "a .keras file's configuration may have any size": Fault(
        "kcnn/models/archive.py",
        "size > _LARGEST_TEXT",
        "False",
        "test_archive.py::test_a_configuration_that_fills_the_memory_is_refused",
    ),
    "a bundle's extra files are not named": Fault(
        "kcnn/bundle/verification.py",
        "        extra_files=extra_files(folder, manifest),\n",
        "",
        "test_bundle.py::test_what_the_manifest_does_not_know_is_named",
    ),
    "a second installation does not wait": Fault(
        "kcnn/runtimes/installation.py",
        "with locked(folder(), say):",
        "if True:",
        "test_runtimes.py::test_two_installations_at_once_wait_for_one_another",
    ),
    "a vanished folder is begun anew": Fault(
        "kcnn/pipeline/journal.py",
        "if run_dir.journal.is_file():",
        "if True:",
        "test_resume.py::test_a_run_whose_folder_is_gone_writes_no_other_one",
    ),
    "a loss that is not finite is no error": Fault(
        "kcnn/callbacks/divergence.py", "not math.isfinite(value)", "False", _DIVERGED
    ),
    "a value that is not finite may be the best": Fault(
        "kcnn/callbacks/best_model.py",
        "not math.isfinite(value)",
        "False",
        "test_callbacks.py::test_a_value_that_is_not_finite_is_never_the_best",
    ),
}


@dataclass
class Faults:
    """Which faults a test has noticed.

    Attributes:
        noticed: the test that failed, by fault.
        unnoticed: the faults with which their test passed.
        seconds: how long it took.
    """

    noticed: dict[str, str] = field(default_factory=dict)
    unnoticed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        """Whether every fault was noticed."""
        return not self.unnoticed


def run(names: list[str] | None = None) -> Faults:
    """Inject faults one after another, all of them if none is named.

    Raises:
        RuntimeError: a test fails, or ends otherwise, without a fault.
    """
    begun, found = time.monotonic(), Faults()
    chosen = {name: FAULTS[name] for name in names or FAULTS}
    with tempfile.TemporaryDirectory() as folder:
        code, output = _test(_copy(Path(folder) / "whole"), {each.test for each in chosen.values()})
        if code:
            raise RuntimeError(f"Without a fault, tests fail: {output[-2000:]}")
        for number, (name, fault) in enumerate(chosen.items()):
            tree = _copy(Path(folder) / str(number))
            fault.inject(tree)
            code, output = _test(tree, {fault.test})
            if code == 1 and " failed" in output:
                found.noticed[name] = fault.test
            else:
                found.unnoticed.append(name)
            shutil.rmtree(tree)
    found.seconds = round(time.monotonic() - begun, 1)
    return found


def _copy(tree: Path) -> Path:
    """Return a copy of the source tree: what changes is copied, the rest linked."""
    tree.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in COPIED:
            (tree / entry.name).symlink_to(entry)
        elif entry.is_dir():
            shutil.copytree(entry, tree / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(entry, tree)
    return tree


def _test(tree: Path, tests: set[str]) -> tuple[int, str]:
    """Run tests in a tree, and return pytest's exit code and output."""
    options = ["-n", "0", "-q", "-x", "--tb=short", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(f"tests/{each}" for each in sorted(tests))],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Return 0 if every fault was noticed."""
    found = run()
    for name, test in found.noticed.items():
        sys.stdout.write(f"noticed: {name} ({test})\n")
    for name in found.unnoticed:
        sys.stdout.write(f"UNNOTICED: {name} ({FAULTS[name].test})\n")
    return 0 if found.held else 1


if __name__ == "__main__":
    raise SystemExit(main())
