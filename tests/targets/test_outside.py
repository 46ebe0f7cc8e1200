"""A board's file beside a script of the user's, in a folder that is none of tinyc's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import run_outside


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which a script has made a model and compiled it, and what it printed."""
    folder = tmp_path_factory.mktemp("outside")
    done = run_outside(folder, "build.py")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_script_compiles_for_the_board_beside_it(built: tuple[Path, str]) -> None:
    """With an operator, kernels and a pass of a package there; the compilation verifies them."""
    folder, printed = built
    assert "my_board" in printed
    assert (folder / "component" / "idf_component.yml").is_file()


def test_the_command_takes_the_board_by_its_path(built: tuple[Path, str]) -> None:
    folder, _ = built
    command = ["-m", "tinyc", "compile", "doubling.onnx", "--no-verify", "-o", "again"]
    done = run_outside(folder, *command, "--target", "board.toml", "--pass", "outside:Sums")
    assert done.returncode == 0, done.stderr
    assert (folder / "again" / "src" / "doubling.c").is_file()
    board = folder / "wrong.toml"
    board.write_text('base = "esp32s3"\nname = "wrong"\nram = 4\n', encoding="utf-8")
    done = run_outside(folder, *command, "--target", str(board))
    assert done.returncode == 2
    assert "unknown key(s) ram (line 3); the keys are" in " ".join(done.stderr.split())
