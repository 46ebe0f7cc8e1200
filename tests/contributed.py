"""Runs the package `mine` that CONTRIBUTING.md has, from the folder that has it: see test_contributing.py.

`python -m tests.contributed` imports all of it and says `fine`, or fails.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

import tinyc
from tests.c.support import check, sampled
from tests.c.test_golden_operators import excerpt, random_instance, text_of
from tests.generate import samples
from tests.helpers import assert_same
from tests.ir.test_declarations import OWN, missing
from tests.ir.test_properties import PROPERTIES
from tests.passes.filetest import cases, result
from tinyc.compiler.witness.arithmetic import EXACT, compute
from tinyc.ir import Op, registry
from tinyc.ir.concern import CONCERNS
from tinyc.passes import Pass, registered

MINE = Path("mine")
NUMPY = {"square": np.square, "cbrt": np.cbrt}
COUNT = 12


def declared(kind: type[Op]) -> None:
    """Nothing is forgotten, and there is something that a golden file begins with."""
    found = [lacking for name in (*OWN, *CONCERNS) if (lacking := missing(kind, name))]
    assert not found, "\n".join(found)
    module = random_instance(kind)
    assert module is not None
    assert kind.mnemonic in text_of(module)
    assert "net_run(" in excerpt(module)


def interpreted(kind: type[Op]) -> None:
    """What it says is true, and the interpreter agrees with numpy, or with exact arithmetic."""
    for s in samples(kind, COUNT):
        for holds in PROPERTIES:
            assert all(holds(s)), f"{holds.__name__}: {s.op}"
        with np.errstate(all="ignore"):
            have = s.op.run(s.arrays)
            if kind.mnemonic in NUMPY:
                assert_same([have], [NUMPY[kind.mnemonic](s.arrays[0]).astype(have.dtype)])
        if EXACT.find(kind) is not None:
            exact = compute(s.op, s.arrays)
            assert exact is not None
            np.testing.assert_array_equal(have, exact.integers, str(s.op))


def compiled(kinds: list[type[Op]]) -> str:
    """The C of random instances, which computes what the interpreter does."""
    found = [case for kind in kinds for case in sampled(kind, COUNT)]
    assert {case.op.mnemonic for case in found} == {kind.mnemonic for kind in kinds}
    return "".join(check(found, "gcc").files.values())


def model() -> Path:
    """A network with a double negation and an operator that the package imports."""
    nodes = [
        helper.make_node("Neg", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Rotate", ["b"], ["y"], domain="mine", by=2),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3, 5]) for name in ("x", "y")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    graph = helper.make_graph(nodes, "rotating", ports[:1], ports[1:])
    path = Path("rotating.onnx")
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def main() -> None:
    """All of the package."""
    for path in sorted(MINE.glob("*.py")):
        importlib.import_module(f"mine.{path.stem}")
    kinds = [kind for kind in registry().values() if kind.__module__.startswith("mine.")]
    assert {"square", "cbrt", "rotate", "qturned_conv2d"} == {kind.mnemonic for kind in kinds}
    for kind in kinds:
        declared(kind)
        interpreted(kind)
    text = compiled(kinds)
    for kernel in (MINE / "kernels").iterdir():
        assert f"tinyc_{kernel.stem}(" in text, f"no C calls {kernel}"

    passes = [kind for kind in registered().values() if kind.__module__.startswith("mine.")]
    files = sorted(MINE.glob("*.tc"))
    assert {p.name for p in passes} == {f.stem for f in files}, "each pass has its cases"
    for file in files:
        for case in cases(file):
            assert result(case, file.name) == case.expected, f"{file}: {case.title}"

    # onnxruntime does not have the operator: its import is compared with nothing, all else is verified.
    extra = [step for kind in passes if isinstance(step := kind(), Pass)]
    targets = sorted(MINE.glob("*.toml"))
    assert targets
    for target in targets:
        made = tinyc.compile(model(), target=str(target), output="component", extra_passes=extra)
        assert made.report["target"] == "my_board"
        assert made.report["reference"] == "onnxruntime, but for mine:Rotate"
        assert all(v.passed for v in made.verdicts)
        source = Path("component", "src", "rotating.c").read_text(encoding="ascii")
        assert "tinyc_rotate_f32(" in source
        assert "neg" not in source
    print("fine")


if __name__ == "__main__":
    main()
