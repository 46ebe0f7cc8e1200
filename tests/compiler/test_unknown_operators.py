"""Operators of domains that no reference knows: all but their import is verified, and everything says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import tinyc
from tests.compiler.test_cli import tinyc as command
from tinyc.compiler.frontend import FrontendError, activation
from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import HANDLERS, MICROSOFT, SHAPED_LIKE, onnx_op
from tinyc.compiler.reference import Reference
from tinyc.compiler.reference import reference as engines
from tinyc.compiler.session import Session
from tinyc.compiler.session import session as steps
from tinyc.compiler.verify import VerificationError
from tinyc.ir import Value
from tinyc.ir.ops import Add, Clamp, Neg, Slice

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def mine() -> Iterator[None]:
    """An operator `mine:Halves`, with two results: the first and the second half of the last dimension."""

    @onnx_op("Halves", domain="mine")
    def halves(ctx: Context, node: OnnxNode) -> list[Value]:
        x = node.operand(0)
        size = x.shape[-1] // 2
        return [ctx.emit(Slice(x, (0, at), (x.shape[0], size), (1, 1))) for at in (0, size)]

    yield
    del HANDLERS["mine:Halves"]


def save(path: Path, nodes: list[onnx.NodeProto], outputs: tuple[str, ...] = ("y",), width: int = 3) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6])
    ys = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, width]) for name in outputs]
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 3], RNG.normal(size=9).astype(np.float32))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    graph = helper.make_graph(nodes, "halving", [x], ys, [weights])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


HALVES = helper.make_node("Halves", ["a"], ["b", "c"], domain="mine", name="halves")


def among_others(path: Path) -> Path:
    nodes = [
        helper.make_node("Exp", ["x"], ["a"]),
        HALVES,
        helper.make_node("MatMul", ["b", "w"], ["d"]),
        helper.make_node("Relu", ["d"], ["e"], name="limit"),
        helper.make_node("Sub", ["e", "c"], ["y"]),
    ]
    return save(path, nodes)


def alone(path: Path) -> Path:
    return save(path, [helper.make_node("Halves", ["x"], ["y", "z"], domain="mine")], ("y", "z"))


def test_all_but_its_import_is_verified(tmp_path: Path) -> None:
    compiled = tinyc.compile(among_others(tmp_path / "m.onnx"))
    assert compiled.report["reference"] == "onnxruntime, but for mine:Halves"
    (note,) = compiled.notes
    assert note.startswith("the import of mine:Halves was compared with nothing: neither onnxruntime nor")
    assert [v.passed for v in compiled.verdicts] == [True, True]
    assert all(p.max_abs_error is not None for p in compiled.lowered.records if p.name != "eliminate-dead")


def test_with_nothing_else_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    compiled = tinyc.compile(alone(tmp_path / "m.onnx"))
    assert compiled.report["reference"] == "nothing, as none knows mine:Halves"
    assert "compared with nothing" in compiled.report["notes"][0]
    x = RNG.normal(size=(2, 6)).astype(np.float32)
    np.testing.assert_array_equal(compiled(x, on="host")["z"], x[:, 3:])


def test_the_command_line_says_so(tmp_path: Path) -> None:
    model = among_others(tmp_path / "m.onnx")
    done = command("verify", model)
    assert done.exit_code == 0
    assert "agrees with onnxruntime, but for mine:Halves on 2 sample(s)" in " ".join(done.stdout.split())
    assert "note: the import of mine:Halves was compared with nothing" in done.stderr
    found = json.loads(command("verify", model, "--json").stdout)
    assert {e["against"] for e in found["executors"]} == {"onnxruntime, but for mine:Halves"}
    done = command("compile", model, "-o", tmp_path / "out")
    text = " ".join(done.stdout.split())
    assert "before against after, and against onnxruntime, but for mine:Halves" in text
    assert "the import of mine:Halves was compared with nothing" in text


def test_the_library_says_so(tmp_path: Path) -> None:
    notes: list[str] = []
    model = among_others(tmp_path / "m.onnx")
    verdicts = tinyc.verify(model, note=notes.append)
    assert [v.against for v in verdicts] == ["onnxruntime, but for mine:Halves"] * 2
    assert "compared with nothing" in notes[0]
    data = tinyc.Calibration([[RNG.normal(size=(2, 6)).astype(np.float32)] for _ in range(4)])
    notes.clear()
    tinyc.quantize(model, tmp_path / "q.onnx", tinyc.QuantiseOptions(data), accept_accuracy=True, note=notes.append)
    assert "compared with nothing" in notes[0]
    compiled = tinyc.compile(model, quantise=tinyc.QuantiseOptions(data), accept_accuracy=True)
    assert compiled.quality is not None
    assert {v.against for v in compiled.verdicts} == {"its operators, layer by layer"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: 1 // 0, r"test_unknown_operators\.py:\d+: ZeroDivisionError: integer division or modulo by zero$"),
        (lambda: None, "TypeError: .*NoneType"),
        (lambda: [3], "TypeError: it gave int, and has to give a Value, or one for each output$"),
    ],
)
def test_an_import_that_fails_is_named(tmp_path: Path, given: Callable[[], Any], words: str) -> None:
    @onnx_op("Fails", domain="mine")
    def broken(ctx: Context, node: OnnxNode) -> Any:
        return given()

    try:
        path = save(tmp_path / "m.onnx", [helper.make_node("Fails", ["x"], ["y"], domain="mine", name="n")], width=6)
        named = rf"node n \(mine:Fails\): its import by {re.escape(__name__)}\.broken failed: .*{words}"
        with pytest.raises(FrontendError, match=named):
            tinyc.load(path)
    finally:
        del HANDLERS["mine:Fails"]


def test_a_wrong_import_of_other_operators_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = among_others(tmp_path / "m.onnx")
    monkeypatch.setattr(activation, "Clamp", lambda x, min: Clamp(x, min=min + 0.5))
    with pytest.raises(VerificationError, match="the import differs from onnxruntime: layer 'limit'"):
        tinyc.compile(model)


def test_a_wrong_pass_is_found(tmp_path: Path) -> None:
    class Negated(tinyc.passes.Pass, name=""):
        def run(self, module: tinyc.ir.Module) -> tinyc.ir.Module:
            last = module.nodes[-1]
            inner = tinyc.ir.Value("inner", last.result.type)
            nodes = (*module.nodes[:-1], tinyc.ir.Node(inner, last.op), tinyc.ir.Node(last.result, Neg(inner)))
            return tinyc.ir.Module(module.name, module.inputs, nodes, module.outputs)

    with pytest.raises(tinyc.TinycError, match="changed the meaning"):
        tinyc.compile(alone(tmp_path / "m.onnx"), extra_passes=[Negated()])


def test_a_wrong_executor_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = steps.generate_code

    def another(lowered: object, *more: object) -> object:
        wrong = Session(among_others(tmp_path / "other.onnx"), tinyc.Options(verify=False, name="m"))
        return original(wrong.lowered, *more)  # type: ignore[arg-type]

    model = among_others(tmp_path / "m.onnx")  # of other weights
    monkeypatch.setattr(steps, "generate_code", another)
    with pytest.raises(VerificationError, match="on host"):
        tinyc.compile(model)


def test_an_operator_that_a_reference_could_know_needs_one(tmp_path: Path) -> None:
    """What a reference refuses of its own domains is no operator that it does not know."""

    @onnx_op("NoSuchThing", domain=MICROSOFT)
    def handler(ctx: Context, node: OnnxNode) -> Value:
        return ctx.emit(Add(node.operand(0), node.operand(0)))

    SHAPED_LIKE[f"{MICROSOFT}:NoSuchThing"] = ("Identity", lambda inputs: inputs[:1])
    try:
        path = save(tmp_path / "m.onnx", [helper.make_node("NoSuchThing", ["x"], ["y"], domain=MICROSOFT)], width=6)
        model = onnx.load(path)
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
        with pytest.raises(FrontendError, match="there is no reference to verify this model against") as caught:
            tinyc.compile(model)
        assert ".." not in str(caught.value).replace("...", "")
        assert tinyc.compile(model, verify=False).report["reference"] == ""
    finally:
        del HANDLERS[f"{MICROSOFT}:NoSuchThing"], SHAPED_LIKE[f"{MICROSOFT}:NoSuchThing"]


def test_reasons_do_not_end_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> object:
        raise RuntimeError("no such operator, known functions: [].")

    monkeypatch.setattr(engines, "session", refuse)
    monkeypatch.setattr(engines, "_evaluator", refuse)
    imported = tinyc.load(among_others(tmp_path / "m.onnx"))
    with pytest.raises(FrontendError, match=r"known functions: \[\]\. Without verification"):
        Reference(imported, [np.zeros((2, 6), np.float32)])
