"""Custom passes at places of their own: what they see there, and that they are verified and reported like ours."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

import tinyc
from tests.compiler.test_cli import MODEL, refused, small_model
from tests.compiler.test_cli import tinyc as command
from tinyc import CustomPass
from tinyc.compiler.lowering.pipeline import place_passes
from tinyc.ir import Module
from tinyc.ir.ops import BatchNorm, Clamp
from tinyc.ir.rows import RowProgram
from tinyc.passes import Lowering, Pass, RowPass
from tinyc.passes.core.base import label
from tinyc.passes.core.manager import PassVerificationError
from tinyc.passes.core.rewrite import rename
from tinyc.passes.pipeline import row_passes, tensor_passes

FILE = """
import dataclasses
from tinyc.passes import Pass

@dataclasses.dataclass(frozen=True)
class First(Pass, name="first-placed"):
    \"\"\"Changes nothing.\"\"\"

    def run(self, module):
        return module

@dataclasses.dataclass(frozen=True)
class Second(First, name="second-placed"):
    \"\"\"Changes nothing.\"\"\"
"""


@dataclasses.dataclass(frozen=True)
class Seen(Pass):
    """Keeps what it sees."""

    kinds: ClassVar[list[set[type]]] = []

    def run(self, module: Module) -> Module:
        self.kinds.append({type(n.op) for n in module.nodes})
        return module


@dataclasses.dataclass(frozen=True)
class Rows(RowPass):
    """Changes nothing."""

    def run(self, program: RowProgram) -> RowProgram:
        return program


class OnceMore(Lowering):
    """Lowers, though that is not for custom passes."""

    def run(self, module: Module) -> Any:
        raise AssertionError


@pytest.fixture
def placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "placed_passes.py").write_text(FILE)
    return small_model(tmp_path / "relu.onnx")


def seen(**place: str) -> set[type]:
    """The operators of Mobile-LeNet at a place."""
    Seen.kinds.clear()
    tinyc.compile(MODEL, verify=False, extra_passes=[CustomPass(Seen(), **place)])
    (kinds,) = Seen.kinds
    return kinds


def names(compiled: tinyc.Compilation) -> list[str]:
    return [p["name"] for p in compiled.report["passes"]]


def test_a_pass_sees_what_is_there_at_its_place() -> None:
    assert {BatchNorm, Clamp} <= seen(before="eliminate-dead")
    assert Clamp in seen(after="fold-batch-norm"), "activations are not fused yet"
    assert Clamp in seen(before="fuse-activation")
    assert Clamp not in seen(after="fuse-activation")
    assert Clamp not in seen(), "without a place it is the last on the tensor level"


def test_places_in_the_report() -> None:
    compiled = tinyc.compile(
        MODEL,
        extra_passes=[
            CustomPass(Seen(), after="simplify:2"),
            CustomPass(Rows(), before="plan-arena"),
            CustomPass(Seen(), before="simplify"),
            Seen(),
        ],
    )
    found = names(compiled)
    second = [k for k, name in enumerate(found) if name == "simplify"][1]
    assert found[second + 1] == "Seen"
    assert found[found.index("simplify") - 1] == "Seen"
    assert found[found.index("plan-arena") - 1] == "Rows"
    assert found[found.index("lower-to-rows") - 1] == "Seen"
    records = [p for p in compiled.report["passes"] if p["name"] in ("Seen", "Rows")]
    assert [p["max_abs_error"] for p in records] == [0.0] * 4, "compared before and after like ours"


def test_several_at_one_place_keep_their_order() -> None:
    first, second, third = Seen(), Seen(), Seen()
    custom = [
        CustomPass(first, after="simplify"),
        CustomPass(second, after="simplify"),
        CustomPass(third, before="simplify"),
        CustomPass(first, before="simplify"),
    ]
    groups = place_passes([tensor_passes(), row_passes()], custom)
    around = next(k for k, p in enumerate(groups[0]) if p.name == "simplify")
    found = [groups[0][k] for k in (around - 2, around - 1, around + 1, around + 2)]
    assert all(a is b for a, b in zip(found, (third, first, first, second), strict=True))


class Named(Seen):
    """Another one, of another name."""


class Third(Seen):
    """And another."""


def test_custom_passes_beside_each_other() -> None:
    custom = [
        CustomPass(Third(), before="Named"),
        CustomPass(Named(), after="Seen"),
        CustomPass(Seen(), after="simplify:2"),
        CustomPass(Named(), after="Named"),
    ]
    found = [label(p) for p in place_passes([tensor_passes(), row_passes()], custom)[0]]
    second = [k for k, name in enumerate(found) if name == "simplify"][1]
    assert found[second + 1 : second + 5] == ["Seen", "Third", "Named", "Named"]
    compiled = tinyc.compile(MODEL, verify=False, extra_passes=[Seen(), CustomPass(Named(), before="Seen")])
    found = names(compiled)
    assert found[found.index("Seen") - 1] == "Named", "one without a place has one, too: the last on the tensor level"


@dataclasses.dataclass(frozen=True)
class Wrong(Pass):
    """Moves the lower limits."""

    def run(self, module: Module) -> Module:
        nodes = tuple(
            dataclasses.replace(n, op=dataclasses.replace(n.op, min=n.op.min + 1.0)) if isinstance(n.op, Clamp) else n
            for n in module.nodes
        )
        return Module(module.name, module.inputs, nodes, module.outputs)


def test_a_wrong_pass_is_caught_at_its_place() -> None:
    with pytest.raises(PassVerificationError, match="pass Wrong: changed the meaning"):
        tinyc.compile(MODEL, extra_passes=[CustomPass(Wrong(), before="fuse-activation")])


@dataclasses.dataclass(frozen=True)
class Interface(Pass):
    """Gives the module other inputs or outputs."""

    change: str = ""

    def run(self, module: Module) -> Module:
        more = dataclasses.replace(module.inputs[0], name="more")
        inner = module.nodes[-2].result
        return {
            "input": dataclasses.replace(module, inputs=(*module.inputs, more)),
            "output": dataclasses.replace(module, outputs=(*module.outputs, inner)),
            "no output": dataclasses.replace(module, outputs=module.outputs[1:] or (module.inputs[0],)),
            "name": rename(module, {module.outputs[0]: dataclasses.replace(module.outputs[0], name="other")}),
        }[self.change]


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("input", "changed the inputs of the network: they were %image f32[1,1,28,28], and are %image "),
        ("output", "changed the outputs of the network: they were %probabilities "),
        ("no output", "changed the outputs of the network: they were %probabilities "),
        ("name", "changed the outputs of the network: they were %probabilities f32[1,10], and are %other f32[1,10]"),
    ],
)
def test_a_pass_keeps_inputs_and_outputs(change: str, words: str, verify: bool) -> None:
    for place in ({}, {"before": "fuse-pad"}):
        with pytest.raises(PassVerificationError, match=re.escape(f"pass Interface: {words}")):
            tinyc.compile(MODEL, verify=verify, extra_passes=[CustomPass(Interface(change), **place)])


@pytest.mark.parametrize(
    ("custom", "words"),
    [
        (
            lambda: CustomPass(Seen(), after="fold-batchnorm"),
            ("`after=fold-batchnorm`", "fold-batch-norm", "plan-arena"),
        ),
        (lambda: CustomPass(Seen(), before="x"), ("`before=x`: there is no pass 'x'",)),
        (lambda: CustomPass(Seen(), after="simplify:9"), ("the pipeline has simplify 4 times",)),
        (lambda: CustomPass(Seen(), after="plan-arena:2"), ("the pipeline has plan-arena 1 time",)),
        (lambda: CustomPass(Seen(), after="simplify", before="fuse-pad"), ("`after`", "`before`", "not both")),
        (lambda: CustomPass(Seen(), after=3), ("`after` takes a text",)),  # type: ignore[arg-type]
        (lambda: CustomPass("simplify"), ("`step`",)),  # type: ignore[arg-type]
        (lambda: CustomPass(Seen(), after="order-stages"), ("pass Seen takes the tensor level", "the row level")),
        (lambda: CustomPass(Rows(), after="simplify"), ("pass Rows takes the row level", "the tensor level")),
        (lambda: CustomPass(OnceMore(), after="simplify"), ("pass OnceMore", "subclasses of tinyc.passes.Pass")),
    ],
)
def test_places_that_there_are_not(custom: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(tinyc.TinycError) as caught:
        tinyc.compile("absent.onnx", extra_passes=[custom()])
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "custom",
    [
        [CustomPass(Seen(), after="Seen")],
        [CustomPass(Seen(), after="Named"), CustomPass(Named(), before="Seen")],
        [CustomPass(Seen(), after="Named:2"), CustomPass(Named(), after="simplify")],
    ],
)
def test_custom_passes_that_have_no_place(custom: list[CustomPass]) -> None:
    said = (
        r"`after=(Seen|Named)(:2)?`(: there is no pass 'Seen'|: the pipeline has Named 1 time| leads from one custom )"
    )
    with pytest.raises(tinyc.TinycError, match=said):
        tinyc.compile("absent.onnx", extra_passes=custom)


class TestCommandLine:
    def passes(self, model: Path, *arguments: str) -> list[str]:
        result = command("compile", model, "--no-verify", "-o", "out", "--force", "--json", *arguments)
        assert result.exit_code == 0, result.output
        return [p["name"] for p in json.loads(result.stdout)["passes"]]

    def test_one_place_for_all(self, placed: Path) -> None:
        both = ("--pass", "placed_passes:First", "--pass", "placed_passes:Second")
        found = self.passes(placed, *both, "--after", "fold-batch-norm")
        at = found.index("fold-batch-norm")
        assert found[at + 1 : at + 3] == ["first-placed", "second-placed"]
        found = self.passes(placed, *both)
        assert found[found.index("lower-to-rows") - 2 :][:2] == ["first-placed", "second-placed"]

    def test_one_place_for_each(self, placed: Path) -> None:
        found = self.passes(
            placed,
            *("--pass", "placed_passes:First", "--before", "fuse-activation"),
            *("--pass", "placed_passes:Second", "--before", "eliminate-dead"),
        )
        assert found[0] == "second-placed"
        assert found[found.index("fuse-activation") - 1] == "first-placed"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--after", "simplify"), "--after says where a pass of yours runs, and goes with --pass"),
            (("--pass", "placed_passes:First", "--after", "x"), "--after x: there is no pass 'x' in the pipeline"),
            (("--pass", "placed_passes:First", "--after", "x", "--before", "y"), "do not go together"),
            (
                ("--pass", "placed_passes:First", "--before", "x", "--before", "y"),
                "--before is given 2 times, --pass 1",
            ),
        ],
    )
    def test_wrong_ones(self, arguments: tuple[str, ...], words: str, placed: Path) -> None:
        refused(command("compile", placed, *arguments), words)
