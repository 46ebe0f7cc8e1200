"""The shape of the project itself: layers, packaging, links."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("compiler", "ir", "passes", "backends")
MAY_IMPORT = {
    "ir": {"ir"},
    "passes": {"ir", "passes"},
    "backends": {"ir", "backends"},
    "compiler": {"ir", "passes", "backends", "compiler"},
}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The second component of every `tinyc.X` import, or the first of others that are ours."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{a.name}" for a in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("tinyc.")}
        found |= {f"bare {n}" for n in names if n.split(".")[0] in FOLDERS}
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_layers(folder: str) -> None:
    for path in sources(folder):
        assert imports(path) <= MAY_IMPORT[folder], f"{path.relative_to(ROOT)} imports {imports(path)}"


def test_every_package_is_packaged() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = [p.parent.relative_to(ROOT) for f in FOLDERS for p in (ROOT / f).rglob("__init__.py")]
    present = {".".join(("tinyc", *folder.parts)) for folder in folders}
    assert set(table["packages"]) == present | {"tinyc"}


def test_links_lead_to_the_folders() -> None:
    for folder in FOLDERS:
        link = ROOT / "tinyc" / folder
        assert link.is_symlink()
        assert link.resolve() == ROOT / folder


def test_no_file_outgrows_a_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in (*FOLDERS, "scripts", "tests", "benchmarks", "examples")
        for path in sources(folder)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not long


def test_onnxruntime_is_opened_with_exact_products() -> None:
    """uint8 x int8 saturates otherwise, on some processors; the example's training script runs a float model."""
    opened = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in (*FOLDERS, "scripts", "tests", "benchmarks", "examples")
        for path in sources(folder)
        if path != Path(__file__) and "InferenceSession(" in path.read_text(encoding="utf-8")
    }
    assert set(opened) == {"compiler/reference/reference.py", "examples/mobile_lenet/train.py"}
    assert "model = exact_products(model)" in opened["compiler/reference/reference.py"]
