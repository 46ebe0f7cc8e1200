"""Output folders: all files or none, and never over somebody else's."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT
from tinyc.compiler.base.files import part_of, uninterrupted, write_file
from tinyc.compiler.base.output import MARKER, OutputError, check_folder, write_folder


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


def test_edited_files_are_not_overwritten_without_force(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.c": "1", "b.c": "2", "src/c.c": "3"})
    (folder / "b.c").write_text("tuned by hand")
    (folder / "src" / "c.c").unlink()
    (folder / "src" / "c.c").symlink_to(tmp_path / "elsewhere.c")
    for call in (lambda: write_folder(folder, {"a.c": "4"}), lambda: check_folder(folder)):
        with pytest.raises(OutputError, match=r"edited since \(b\.c, src/c\.c\).*`force=True`"):
            call()
    assert (folder / "b.c").read_text() == "tuned by hand"
    check_folder(folder, force=True)
    write_folder(folder, {"a.c": "4"}, force=True)
    assert names(folder) == {"a.c", MARKER}
    (folder / "mine").write_text("")
    with pytest.raises(OutputError, match="did not write"):
        write_folder(folder, {"a.c": "5"}, force=True)


def test_files_that_a_person_deleted_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.c": "1", "src/b.c": "2"})
    (folder / "a.c").unlink()
    (folder / "src" / "b.c").unlink()
    write_folder(folder, {"a.c": "3", "src": "a file in place of the empty folder"})
    assert names(folder) == {"a.c", "src", MARKER}


def test_a_marker_without_digests_still_works(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("of an older version, perhaps edited: nobody knows")
    (tmp_path / MARKER).write_text(json.dumps({"generator": "tinyc", "files": ["a.c", "b.c"]}))
    write_folder(tmp_path, {"c.c": "1"})
    assert names(tmp_path) == {"c.c", MARKER}


@pytest.mark.parametrize("others", [".git/HEAD", "build/app.elf", "sdkconfig", "build/"])
def test_what_others_keep_there_is_never_touched(others: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.c": "1"})
    (folder / others).parent.mkdir(exist_ok=True)
    (folder / others).mkdir() if others.endswith("/") else (folder / others).write_text("")
    with pytest.raises(OutputError, match=others):
        write_folder(folder, {"a.c": "2"}, force=True)
    assert (folder / others).exists()


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to("real")
    for content in "12":
        write_folder(link, {"a.c": content})
        assert link.is_symlink()
        assert (tmp_path / "real" / "a.c").read_text() == content
    dangling = tmp_path / "dangling"
    dangling.symlink_to("later")
    write_folder(dangling, {"a.c": "3"})
    assert (tmp_path / "later" / "a.c").read_text() == "3"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dangling", "later", "link", "real"]
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="loop"):
        write_folder(tmp_path / "loop", {"a.c": "4"})


@pytest.mark.parametrize("where", [".", "deep", "src"])
def test_the_current_directory_stays_under_its_users_feet(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.c": "1", "src/b.c": "2", "deep/c.c": "3"})
    inode = folder.stat().st_ino
    monkeypatch.chdir(folder / where)
    write_folder(Path(os.path.relpath(folder)), {"a.c": "4", "src/b.c": "5", "deep/d.c": "6"})
    assert folder.stat().st_ino == inode
    assert names(folder) == {"a.c", "src/b.c", "deep/d.c", MARKER}
    assert (folder / "a.c").read_text() == "4"
    assert list(tmp_path.iterdir()) == [folder]


def test_without_the_exchange_files_are_replaced_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.compiler.base.output.exchange", lambda one, other: False)
    folder = tmp_path / "out"
    for content in "12":
        write_folder(folder, {"a.c": content, f"src{content}/b.c": content})
    assert names(folder) == {"a.c", "src2/b.c", MARKER}
    assert not (folder / "src1").exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_parent_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.c": "1"})
    refuse_below(tmp_path, monkeypatch)
    write_folder(folder, {"a.c": "2"})
    assert (folder / "a.c").read_text() == "2"
    assert names(folder) == {"a.c", MARKER}
    with pytest.raises(OutputError, match="Permission denied"):
        write_folder(tmp_path / "other", {"a.c": "1"})


def refuse_below(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets nothing be made in a folder, also by a user who may."""
    mkdir = Path.mkdir

    def refusing(self: Path, *given: Any, **named: Any) -> None:
        if self.parent == parent and not self.exists():
            raise PermissionError(errno.EACCES, "Permission denied")
        mkdir(self, *given, **named)

    monkeypatch.setattr(Path, "mkdir", refusing)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts need root and Linux")
def test_a_mount_point(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        for content in "12":
            write_folder(folder, {"a.c": content, f"{content}.c": ""})
            assert names(folder) == {"a.c", f"{content}.c", MARKER}
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 255)
    for content in "12":
        write_folder(folder, {"a.c": content})
    assert list(tmp_path.iterdir()) == [folder]


def test_two_at_once_leave_one_of_the_two(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom tinyc.compiler.base.output import write_folder\n"
        "for _ in range(40):\n"
        "    write_folder(Path(sys.argv[1]), {f'{sys.argv[2]}{k}.c': sys.argv[2] * 1000 for k in range(8)})\n"
    )
    folder = tmp_path / "out"
    command = [sys.executable, "-c", program, str(folder)]
    running = [subprocess.Popen([*command, side], cwd=ROOT) for side in "ab"]
    assert [child.wait() for child in running] == [0, 0]
    assert names(folder) - {MARKER} in ({f"{side}{k}.c" for k in range(8)} for side in "ab")
    assert list(tmp_path.iterdir()) == [folder]


def test_signals_wait_and_then_have_their_effect() -> None:
    seen: list[str] = []

    def critical() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            seen.append("the end of the block")

    # A shell's background jobs begin with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            critical()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen


@pytest.mark.parametrize(
    "arguments", [("--every-step",), ("--kills", "40", "--seed", "7")], ids=["every_step", "random"]
)
def test_kills(arguments: tuple[str, ...]) -> None:
    """Old or new after a kill at every step of a rewrite, and at random moments; `kills.py` has the whole of it."""
    command = [sys.executable, "-m", "tests.compiler.kills", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    if arguments == ("--every-step",):
        found = [(line.split(":")[0], line.split()[-1]) for line in done.stdout.splitlines()]
        assert found == [(way, content) for way in ("beside", "within") for content in ("'one'", "'two'")]


class TestFiles:
    def test_a_file_is_replaced_whole_and_what_a_killed_run_left_is_removed(self, tmp_path: Path) -> None:
        file = tmp_path / "m.onnx"
        part_of(file).write_text("half of")
        write_file(file, b"new")
        assert file.read_bytes() == b"new"
        assert list(tmp_path.iterdir()) == [file]

    def test_a_link_is_followed_and_permissions_stay(self, tmp_path: Path) -> None:
        real = tmp_path / "real"
        real.write_text("old")
        real.chmod(0o640)
        (tmp_path / "link").symlink_to("real")
        write_file(tmp_path / "link", b"new")
        assert (tmp_path / "link").is_symlink()
        assert real.read_bytes() == b"new"
        assert real.stat().st_mode & 0o777 == 0o640

    def test_a_pipe_is_written_to(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        hear = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        write_file(pipe, b"through")
        assert os.read(hear, 100) == b"through"
        os.close(hear)
        assert pipe.is_fifo()
