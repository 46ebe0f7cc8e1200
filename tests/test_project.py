"""The shape of the project itself: layers, import cycles, packaging, links."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import networkx as nx
import pytest

import tinyc  # noqa: F401 (its operators are known then)
from tinyc.ir import Op

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


FACADE = ".__init__"


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


def imported_files() -> nx.DiGraph:
    """Which of our files import which, also inside functions; a folder's `__init__.py` is a file like the others."""
    paths = {".".join(("tinyc", *p.relative_to(ROOT).with_suffix("").parts)): p for f in FOLDERS for p in sources(f)}
    paths |= {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in (ROOT / "tinyc").glob("*.py")}
    graph = nx.DiGraph()
    for own, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [(a.name,) for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [(f"{node.module}.{a.name}", str(node.module)) for a in node.names]
            for choices in names:
                known = [n for c in choices for n in (c, c + FACADE) if n in paths]
                graph.add_edges_from((own, n) for n in known[:1])
    return graph


def folder_of(file: str) -> str:
    """A file's folder; facades stand for themselves."""
    return file if file.endswith(FACADE) else file.rpartition(".")[0]


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = imported_files()
    assert graph.number_of_edges() > 1000, "the imports were not found"
    found = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not found, f"these files import each other: {found}"


def test_folders_import_each_other_in_one_direction() -> None:
    """A facade is built on its folder, so a file that imports its own folder's facade closes a cycle."""
    edges = {(folder_of(a), folder_of(b)) for a, b in imported_files().edges}
    graph = nx.DiGraph((a, b) for a, b in edges if a != b)
    found = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not found, f"these folders import each other: {found}"


def test_the_frontend_imports_no_passes() -> None:
    for path in sources("compiler/frontend"):
        assert imports(path) <= {"ir", "compiler"}, f"{path.relative_to(ROOT)} imports {imports(path)}"


def test_facades_hide_no_file() -> None:
    """Else what one gets by importing a name from the folder, the facade's or the file, depends on who came first."""
    for path in (ROOT / "compiler").rglob("__init__.py"):
        package = ".".join(("tinyc", *path.parent.relative_to(ROOT).parts))
        found = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom)]
        names = {a.name for node in found if node.module != package for a in node.names}
        assert not names & {p.stem for p in path.parent.iterdir()}, path.relative_to(ROOT)


@pytest.mark.parametrize("folder", FOLDERS)
def test_layers(folder: str) -> None:
    for path in sources(folder):
        assert imports(path) <= MAY_IMPORT[folder], f"{path.relative_to(ROOT)} imports {imports(path)}"


def test_benchmarks_run_without_the_tests() -> None:
    for path in sources("benchmarks"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
        names += [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
        assert "tests" not in {n.split(".")[0] for n in names}, path.relative_to(ROOT)


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


def test_every_file_of_operators_is_imported() -> None:
    facade = (ROOT / "ir" / "ops" / "__init__.py").read_text(encoding="utf-8")
    shared = {"__init__", "int8", "layer"}  # bases, which the others import
    files = {path.stem for path in (ROOT / "ir" / "ops").glob("*.py")} - shared
    missing = sorted(name for name in files if f"from tinyc.ir.ops.{name} import *" not in facade)
    assert not missing, (
        f"add to ir/ops/__init__.py: {', '.join(f'from tinyc.ir.ops.{name} import *' for name in missing)}"
    )


def test_nobody_asks_for_an_operators_class() -> None:
    """Declarations answer, concerns are keyed by class, and patterns are matched by `made`, the one place that asks."""
    operators = {cls.__name__ for cls in subclasses(Op)}
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in FOLDERS
        for path in sources(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("isinstance", "issubclass")
        if operators & {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
    ]
    assert not asked, f"operator classes are asked for in {', '.join(asked)}"


def listed(tree: ast.AST) -> list[int]:
    """The lines of tuples, lists, sets and tables of operator classes."""
    operators = {cls.__name__ for cls in subclasses(Op)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
            members = node.keys if isinstance(node, ast.Dict) else node.elts
            found += [node.lineno] if operators & {m.id for m in members if isinstance(m, ast.Name)} else []
    return found


def test_backends_list_no_operators() -> None:
    """What they know of one is declared for it (`@emits`, `@CALLS`, `@DETAILS`), or a trait of its own says it."""
    found = {p.relative_to(ROOT): listed(ast.parse(p.read_text(encoding="utf-8"))) for p in sources("backends")}
    lists = [f"{path}:{line}" for path, lines in found.items() for line in lines]
    assert not lists, f"operators are listed by class in {', '.join(lists)}"
    assert listed(ast.parse("A = (Softmax, Tanh)\nB = {QAdd: 3}\nC = f(Softmax, Tanh)")) == [1, 2]


def subclasses(cls: type) -> set[type]:
    return {cls, *(deeper for below in cls.__subclasses__() for deeper in subclasses(below))} - {Op}
