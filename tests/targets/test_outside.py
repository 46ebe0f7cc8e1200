"""A board's file beside a script of the user's, in a folder that is none of tinyc's."""

from __future__ import annotations

from pathlib import Path

from tests.helpers import run_outside


def test_a_script_compiles_for_the_board_beside_it(tmp_path: Path) -> None:
    """With an operator, kernels and a pass of a package there; the compilation verifies them."""
    done = run_outside(tmp_path, "build.py")
    assert done.returncode == 0, done.stderr
    assert "my_board" in done.stdout
    assert (tmp_path / "component" / "idf_component.yml").is_file()


def test_the_command_takes_the_board_by_its_path(tmp_path: Path) -> None:
    assert run_outside(tmp_path, "build.py").returncode == 0
    command = ["-m", "tinyc", "compile", "doubling.onnx", "--no-verify", "-o", "again"]
    done = run_outside(tmp_path, *command, "--target", "board.toml", "--pass", "outside:Sums")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again" / "src" / "doubling.c").is_file()
    board = tmp_path / "wrong.toml"
    board.write_text('base = "esp32s3"\nname = "wrong"\nram = 4\n', encoding="utf-8")
    done = run_outside(tmp_path, *command, "--target", str(board))
    assert done.returncode == 2
    assert "unknown key(s) ram (line 3); the keys are" in " ".join(done.stderr.split())
