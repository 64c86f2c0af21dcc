"""A run's folder: whole files only, and nobody's work is overwritten unasked."""

import os
import stat

import pytest

from kcnn.pipeline.plan import stage_files
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir, atomic
from kcnn.text_files import write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "model.keras"
    target.write_text("old")
    with pytest.raises(OSError, match="disk full"), atomic(target) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["model.keras"]


def test_a_file_is_flushed_before_its_name_appears_and_the_folder_after(tmp_path, monkeypatch):
    """Else a loss of power could leave the name without the content, or the old name."""
    calls, target, flush, replace = [], tmp_path / "last.state", os.fsync, os.replace

    def fsync(handle):
        status = os.fstat(handle)
        whose = "folder" if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes"
        calls.append(f"flush {whose}")
        flush(handle)

    def rename(source, name):
        calls.append(f"rename, {'over the old one' if target.exists() else 'new'}")
        replace(source, name)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    for _ in range(2):
        with atomic(target) as temporary:
            assert temporary.parent == tmp_path, "a rename from another disk is a copy"
            temporary.write_text("state")
    flushed = ["flush folder"] * hasattr(os, "O_DIRECTORY")
    first, second = ["rename, new", *flushed], ["rename, over the old one", *flushed]
    assert calls == ["flush 5 bytes", *first, "flush 5 bytes", *second]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    with atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    (tmp_path / "b.txt").write_text("plain")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_an_existing_run_is_refused_unless_it_may_be_overwritten(tmp_path):
    run_dir = RunDir(tmp_path)
    run_dir.check_free(overwrite=False)
    run_dir.recipe.write_text("{}")
    with pytest.raises(ValueError, match="--overwrite"):
        run_dir.check_free(overwrite=False)
    run_dir.check_free(overwrite=True)


def test_a_folder_of_other_things_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="no run"):
        RunDir(tmp_path).check_free(overwrite=True)


def test_starting_over_removes_the_old_run_and_keeps_the_users_own_notes(tmp_path):
    run_dir = RunDir(tmp_path)
    own = ["my.png", "notes.md"]
    for name in ("recipe.json", "model.keras", "model_pruned_80.keras", "curves.png", *own):
        (tmp_path / name).write_text("")
    (tmp_path / "checkpoints").mkdir()
    run_dir.start(stage_files(Recipe(), run_dir))
    assert sorted(os.listdir(tmp_path)) == own


def test_an_unfinished_run_without_its_journal_is_named_with_what_to_do(tmp_path):
    run_dir = RunDir(tmp_path)
    run_dir.recipe.write_text("{}")
    with pytest.raises(ValueError, match=r"its run\.json is gone: copy the models .* --overwrite"):
        run_dir.check_free(overwrite=False)


def test_a_document_may_name_a_folder_whose_name_is_no_text(tmp_path):
    write_text(tmp_path / "page.md", f"# {os.fsdecode(b'caf' + bytes([0xE9]))}\n")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == "# caf?\n"
