"""The text tests of all passes: see `tests/passes/filetest.py` for what a file has."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.passes.filetest import Case, cases, result, update
from tinyc import passes
from tinyc.ir import Module
from tinyc.ir.ops import Abs, Neg
from tinyc.passes import Replaced, registered, rewrite

FOLDER = Path(__file__).parent / "text"
FILES = sorted(FOLDER.glob("*.tc"))
OURS = sorted(name for name, kind in registered().items() if kind.__module__.startswith("tinyc."))
SOURCES = Path(str(passes.__file__)).parent
UNTOLD = {"compute_in_integers"}
"""Rules whose answers are labelled by another one, which they look up."""


@pytest.mark.parametrize(
    ("file", "case"), [pytest.param(f, c, id=f"{f.stem}: {c.title}") for f in FILES for c in cases(f)]
)
def test_case(file: Path, case: Case, update_golden: bool) -> None:
    assert case.passes[-1][0] == file.stem, "the last pass of a case is the one that its file is named after"
    found = result(case, file.name)
    if update_golden:
        update(file, case, found)
    elif found != case.expected:
        lines = difflib.unified_diff((case.expected or "").split("\n"), found.split("\n"), "expected", "found", n=99)
        advice = f"`pytest tests/passes/test_text.py --update-golden -k {file.stem}` accepts it"
        pytest.fail("\n".join([*lines, advice]), pytrace=False)


def test_every_pass_has_a_file() -> None:
    missing = sorted(set(OURS) - {f.stem for f in FILES})
    assert not missing, (
        f"write tests/passes/text/{missing[0]}.tc: two cases for each rule, one where it applies and one where it must"
        " not; `pytest tests/passes/test_text.py --update-golden` adds what is expected, and you read it"
    )
    assert {f.stem for f in FILES} == set(OURS), "a file is named after a registered pass"


def test_titles_differ() -> None:
    for file in FILES:
        titles = [c.title for c in cases(file)]
        assert len(titles) == len(set(titles)), file.name


def test_what_is_wrong_cannot_be_expected() -> None:
    @dataclass(frozen=True)
    class Forget(passes.Pass, name="broken-sign"):
        """Forgets a sign."""

        def run(self, module: Module) -> Module:
            return rewrite(module, [lambda node, _: Replaced(Abs(node.op.x)) if isinstance(node.op, Neg) else None])

    text = "// pass: broken-sign\nmodule @m { input %x: f32[2] %y = neg(%x) : f32[2] return %y }\n"
    with pytest.raises(passes.PassVerificationError, match="changed the meaning"):
        result(Case("a case", text, None), "a file")


def test_every_rule_has_its_cases() -> None:
    told = "".join(c.expected or "" for f in FILES for c in cases(f))
    found = list(rules())
    assert len(found) > 30, "the rules were not found"
    for label, refuses in found:
        assert f": {label}\n" in told, f"no text test of a pass has the rule {label!r} apply"
        assert not refuses or f": not '{label}': " in told, f"no text test has {label!r} refuse, and say why"


def rules() -> Iterator[tuple[str, bool]]:
    """What the rules of all passes are called in what they tell, and whether they may refuse."""
    for file in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or node.returns is None:
                continue
            kinds, doc = ast.unparse(node.returns), ast.get_docstring(node)
            takes = [a.arg for a in node.args.args] in ([first, "rewriter"] for first in ("node", "at", "match"))
            if doc and takes and node.decorator_list and kinds == "Answer" and node.name not in UNTOLD:
                yield doc.split("\n")[0].rstrip("."), any("Skip" in ast.unparse(part) for part in node.body)
