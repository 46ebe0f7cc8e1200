"""Nodes in any order: in the graph, in branches and in local functions; and cycles."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.frontend.support import assert_close, build, example, run_imported, run_onnxruntime, save
from tests.helpers import DATA
from tinyc.compiler.frontend import FrontendError, inspect_onnx, load_onnx

node = helper.make_node
X = {"x": example((1, 2, 3, 3))}
NODES = [
    node("Conv", ["x", "w"], ["c"], name="conv"),
    node("Relu", ["c"], ["r"], name="relu"),
    node("Neg", ["c"], ["n"], name="neg"),
    node("Add", ["r", "n"], ["y"], name="add"),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    constants = {"w": example((2, 2, 1, 1), 1)}
    model = build([NODES[k] for k in order], X, constants)
    imported = load_onnx(save(model, tmp_path))
    expected = run_onnxruntime(build(NODES, X, constants), X)
    assert_close(run_imported(imported, X), expected, 2e-6)
    made = {"x", "w"}
    for each in imported.model.graph.node:
        assert made.issuperset(each.input)
        made.update(each.output)
    assert dict(inspect_onnx(tmp_path / "model.onnx").operators) == {"Add": 1, "Conv": 1, "Neg": 1, "Relu": 1}


def test_what_is_in_order_stays_as_it_is(tmp_path: Path) -> None:
    """Of all orders that are possible, the file's own: here the nodes read far back."""
    nodes = [node("Relu", ["x"], [f"r{k}"], name=f"relu{k}") for k in range(6)]
    nodes += [node("Sum", [f"r{k}" for k in (5, 0, 3)], ["y"], name="sum"), node("Neg", ["x"], ["z"], name="last")]
    imported = load_onnx(save(build(nodes, X, outputs=("z", "y")), tmp_path))
    assert [n.name for n in imported.model.graph.node] == [n.name for n in nodes]


def test_an_unsorted_model_keeps_what_it_can(tmp_path: Path) -> None:
    nodes = [NODES[3], NODES[0], NODES[2], NODES[1]]
    imported = load_onnx(save(build(nodes, X, {"w": example((2, 2, 1, 1), 1)}), tmp_path))
    assert [n.name for n in imported.model.graph.node] == ["conv", "neg", "relu", "add"]


def body(name: str, nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
    return helper.make_graph(nodes, name, [], [helper.make_value_info(f"{name}y", onnx.TypeProto())])


def test_branches(tmp_path: Path) -> None:
    """Inside a branch, and where a branch reads what a node behind it makes."""
    then = body("a", [node("Add", ["ak", "late"], ["ay"]), node("Constant", [], ["ak"], value_float=2.0)])
    other = body("b", [node("Neg", ["x"], ["by"])])
    nodes = [
        node("Relu", ["i"], ["y"]),
        node("If", ["condition"], ["i"], then_branch=then, else_branch=other),
        node("Abs", ["x"], ["late"]),
    ]
    imported = load_onnx(save(build(nodes, X, {"condition": np.array(True)}), tmp_path))
    np.testing.assert_array_equal(run_imported(imported, X)[0], np.abs(X["x"]) + 2)
    np.testing.assert_array_equal(run_onnxruntime(imported.model, X)[0], np.abs(X["x"]) + 2)


def test_a_name_that_a_branch_makes_itself_is_not_needed_from_outside(tmp_path: Path) -> None:
    """Both branches and a node behind them have a tensor of the same name, which is no cycle."""
    then = body("a", [node("Abs", ["x"], ["same"]), node("Relu", ["same"], ["ay"])])
    other = body("b", [node("Neg", ["x"], ["by"])])
    nodes = [
        node("If", ["condition"], ["i"], then_branch=then, else_branch=other),
        node("Neg", ["i"], ["same"]),
        node("Identity", ["same"], ["y"]),
    ]
    imported = load_onnx(save(build(nodes, X, {"condition": np.array(True)}), tmp_path))
    np.testing.assert_array_equal(run_imported(imported, X)[0], -np.abs(X["x"]))


def test_local_functions(tmp_path: Path) -> None:
    inside = [node("Relu", ["m"], ["b"]), node("Mul", ["a", "a"], ["m"])]
    function = helper.make_function("mine", "Square", ["a"], ["b"], inside, [helper.make_opsetid("", 17)])
    nodes = [node("Neg", ["z"], ["y"]), node("Square", ["x"], ["z"], domain="mine")]
    model = build(nodes, X)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.functions.append(function)
    imported = load_onnx(save(model, tmp_path))
    np.testing.assert_array_equal(run_imported(imported, X)[0], -(X["x"] ** 2))
    np.testing.assert_array_equal(run_onnxruntime(imported.model, X)[0], -(X["x"] ** 2))


CYCLES = [
    ([node("Relu", ["a"], ["a"], name="self")], "self (Relu) needs self (Relu)"),
    (
        [node("Add", ["x", "b"], ["a"], name="one"), node("Neg", ["a"], ["b"], name="two")],
        "one (Add) needs two (Neg) needs one (Add)",
    ),
]


@pytest.mark.parametrize(("nodes", "told"), CYCLES)
@pytest.mark.parametrize("inside", [False, True])
def test_cycles(tmp_path: Path, nodes: list[onnx.NodeProto], told: str, inside: bool) -> None:
    last = node("Identity", ["a"], ["ay" if inside else "y"])
    if inside:
        then, other = body("a", [*nodes, last]), body("b", [node("Neg", ["x"], ["by"])])
        model = build([node("If", ["c"], ["y"], then_branch=then, else_branch=other)], X, {"c": np.array(True)})
    else:
        model = build([*nodes, last], X)
    with pytest.raises(FrontendError) as caught:
        load_onnx(save(model, tmp_path))
    assert told in str(caught.value)


def test_a_long_cycle_is_shortened(tmp_path: Path) -> None:
    nodes = [node("Neg", [f"t{(k + 1) % 50}"], [f"t{k}"], name=f"n{k}") for k in range(50)]
    with pytest.raises(FrontendError) as caught:
        load_onnx(save(build(nodes, X, outputs=("t0",)), tmp_path))
    assert "n0 (Neg) needs n1 (Neg)" in str(caught.value)
    assert len(str(caught.value)) < 250


def test_case(tmp_path: Path) -> None:
    path = DATA / "cases" / "import" / "unsorted_nodes.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    assert_close(run_imported(load_onnx(path), X), run_onnxruntime(onnx.load(path), X), 2e-6)
