"""Output folders: all files or none, and never over somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinyc.compiler.output import MARKER, OutputError, write_folder


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_writes_and_replaces_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    write_folder(folder, {"a.c": "1", "src/b.c": "2"})
    assert names(folder) == {"a.c", "src/b.c", MARKER}
    write_folder(folder, {"c.c": "3"})
    assert names(folder) == {"c.c", MARKER}
    assert list(folder.parent.iterdir()) == [folder], "nothing is left aside"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.c": "1"})
    assert names(tmp_path) == {"a.c", MARKER}


@pytest.mark.parametrize("marker", [None, "not json", "[]", '{"files": 3}'])
def test_other_peoples_files_are_safe(tmp_path: Path, marker: str | None) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    if marker is not None:
        (tmp_path / MARKER).write_text(marker)
    with pytest.raises(OutputError, match=r"did not write \(.*thesis.tex"):
        write_folder(tmp_path, {"a.c": "1"})
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert not (tmp_path / "a.c").exists()


def test_a_file_added_to_our_folder_is_safe(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.c": "1"})
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        write_folder(folder, {"a.c": "2"})
    assert (folder / "a.c").read_text() == "1"


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_folder(tmp_path / "out", {"a.c": "1"})
    with pytest.raises(OutputError, match="cannot write"):
        write_folder(tmp_path / "out" / "below", {"a.c": "1"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_place_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot write"):
        write_folder(tmp_path / "out", {"a.c": "1"})
    assert not list(tmp_path.iterdir())


def test_a_failure_midway_leaves_the_old_output(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.c": "1"})
    with pytest.raises(OutputError, match="cannot write"):
        write_folder(folder, {"a.c": "2", "x" * 300: "too long a name"})
    assert (folder / "a.c").read_text() == "1"
    assert list(tmp_path.iterdir()) == [folder]
