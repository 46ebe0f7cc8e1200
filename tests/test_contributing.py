"""What CONTRIBUTING.md tells to write is run as it stands there, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.c.support import need
from tests.helpers import ROOT, run_python
from tests.passes.filetest import cases

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LANGUAGES = {".py": "python", ".h": "c", ".toml": "toml", ".tc": ""}
FENCE = re.compile(r"^([^\n]*)\n\n```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`(mine/[\w./-]+)`:")


def blocks() -> dict[str, tuple[str, str]]:
    """The code, by what the line before it says that it is: language and text."""
    found = FENCE.findall(TEXT)
    assert 2 * len(found) == TEXT.count("```"), "an empty line stands before each block of code"
    return {line: (language, code) for line, language, code in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the package."""
    for line, (_, code) in blocks().items():
        match = NAME.fullmatch(line)
        assert match is not None, f"a line such as `mine/square.py`: stands before each block of code, not {line!r}"
        path = tmp_path / match[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    return tmp_path


def test_every_block_is_a_file_of_a_kind_that_is_run(folder: Path) -> None:
    assert len(blocks()) == len(FENCE.findall(TEXT)), "two blocks are one file"
    for line, (language, _) in blocks().items():
        name = line.strip("`:")
        assert LANGUAGES.get(Path(name).suffix) == language, f"nothing runs {name}, in {language}"
        assert re.fullmatch(r"mine/[\w-]+\.(py|tc|toml)|mine/kernels/\w+\.h", name), f"nothing runs {name}"


def test_the_package_does_what_it_says(folder: Path) -> None:
    need("gcc")
    done = run_python(folder, "-m", "tests.contributed")
    assert (done.stdout.split("\n")[-2:], done.returncode) == (["fine", ""], 0), done.stdout + done.stderr


def test_the_command_runs_the_pass(folder: Path) -> None:
    (case, *_) = cases(folder / "mine" / "cancel-negations.tc")
    (folder / "file.tc").write_text(case.given, encoding="utf-8")
    named = "mine.cancel_negations:CancelNegations"
    assert f"`{named}`" in TEXT
    done = run_python(folder, "-m", "tinyc", "opt", "file.tc", "--passes", named)
    assert done.returncode == 0, done.stderr
    assert "tanh(%x)" in done.stdout
    assert "neg" not in done.stdout


def test_what_is_named_is_there(folder: Path) -> None:
    """Paths in backquotes, in commands and in links; those with placeholders are of files to write."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL))
    spans += re.findall(r"\]\(([^)#]+)\)", TEXT)
    words = {word.strip(".,;") for span in spans for word in span.split()}
    plain = {w for w in words if "/" in w and not re.search(r"[<*]|NAME", w)}
    paths = {w for w in plain if re.search(r"(\.(py|md|toml|h|tc|c)|/)$", w)}
    assert len(paths) > 30, "the paths were not found"
    missing = sorted(p for p in paths if not (folder / p if p.startswith("mine/") else ROOT / p).exists())
    assert not missing


def test_what_its_code_names_is_in_the_project() -> None:
    """Names in backquotes that look like classes or constants of the project's."""
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    names = set(re.findall(r"`@?([A-Za-z_][A-Za-z0-9_]*)(?:\(\)|`|\()", prose))
    folders = ("ir", "passes", "backends", "compiler", "tests", "scripts")
    source = "".join(p.read_text(encoding="utf-8") for f in folders for p in (ROOT / f).rglob("*.py"))
    words = set(re.findall(r"\w+", source + "".join(code for _, code in blocks().values())))
    assert not sorted(names - words)
