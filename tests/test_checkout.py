"""A checkout without symbolic links, as version control makes it on Windows: small files stand in their place."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tinyc.backends.targets import builtin

LINKED = ("backends", "compiler", "ir", "passes")
MENDING = "import sys; sys.path.insert(0, 'scripts'); import dev; dev.mend_links()"
NO_LINKS = (
    "import os, sys; sys.path.insert(0, 'scripts'); import dev\n"
    "def refused(*arguments, **options): raise OSError(1, 'not permitted')\n"
    "os.symlink = refused; dev.mend_links()"
)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone without links, with the files under test as they are here."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, or there is no git")
    folder = tmp_path / "clone"
    git(tmp_path, "-c", "core.symlinks=false", "clone", "-q", str(ROOT), str(folder))
    git(folder, "config", "core.symlinks", "false")
    for name in ("tinyc/__init__.py", "scripts/dev.py"):
        shutil.copyfile(ROOT / name, folder / name)
    assert all((folder / "tinyc" / name).is_file() for name in LINKED)
    return folder


def python(folder: Path, code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tinyc_is_imported(clone: Path) -> None:
    code = "import tinyc, tinyc.backends.targets as t; print(tinyc.__file__); print(t.__file__); print(*t.builtin())"
    first, second, targets = python(clone, code).splitlines()
    assert Path(first) == clone / "tinyc" / "__init__.py"
    assert Path(second) == clone / "backends" / "targets" / "__init__.py"
    assert targets.split() == list(builtin())


def test_setting_up_makes_the_links(clone: Path) -> None:
    assert "==> making symbolic links of " in python(clone, MENDING)
    for name in LINKED:
        assert (clone / "tinyc" / name).is_symlink()
        assert (clone / "tinyc" / name).resolve() == (clone / name).resolve()
    links = [line.split("\t")[1] for line in git(clone, "ls-files", "-s").splitlines() if line.startswith("120000 ")]
    assert git(clone, "status", "--short", *links) == ""
    assert git(clone, "config", "core.symlinks").strip() == "true"
    assert len(links) > len(LINKED)
    assert all((clone / link).is_symlink() and (clone / link).exists() for link in links)
    assert python(clone, MENDING) == ""


def test_where_there_are_no_links_it_says_so(clone: Path) -> None:
    assert "no symbolic links here (not permitted): tinyc runs" in python(clone, NO_LINKS)
    assert git(clone, "status", "--short", *(f"tinyc/{name}" for name in LINKED)) == ""
    assert "clone" in python(clone, "import tinyc.ir; print(tinyc.ir.__file__)")
