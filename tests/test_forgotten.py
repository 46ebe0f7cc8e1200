"""What an operator leaves out is named: which declaration, and where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from tests.helpers import new_operators
from tinyc.backends.c import CodegenError, generate
from tinyc.compiler.export import ExportError, to_onnx_qdq
from tinyc.compiler.frontend import Port
from tinyc.ir import Builder, IRError, Module, Op, TensorType, Value, registry
from tinyc.ir.expr import Expr, call
from tinyc.ir.op import RowForm, Window
from tinyc.ir.ops import Conv2d, Transpose
from tinyc.ir.ops.elementwise import Function, Unary
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.tensor.channels_last import ChannelsLast
from tinyc.passes.tensor.relayout import BUILDS, FORMS

IMAGE = TensorType((1, 3, 4, 5), DType.F32)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with new_operators():
        yield


@dataclass(frozen=True)
class Turned(Op):
    """The elements in the opposite order: a whole operator, but for what a test leaves out."""

    x: Value

    def infer(self) -> TensorType:
        return self.x.type

    def evaluate(self, *operands: Array) -> Array:
        return operands[0].reshape(-1)[::-1].reshape(self.x.shape)


def on_an_image(kind: type[Op]) -> Module:
    b = Builder("m")
    x = b.input("x", IMAGE)
    return b.build([b.add(kind(x), "y", "layer")])  # type: ignore[call-arg]


def refused_export(module: Module) -> str:
    def ports(values: tuple[Value, ...]) -> list[Port]:
        return [Port(v.name, v, v.shape, None) for v in values]

    with pytest.raises(ExportError) as caught:
        to_onnx_qdq(module, ports(module.inputs), ports(module.outputs))
    return str(caught.value)


# Meaning


def test_a_function_without_a_meaning() -> None:
    with pytest.raises(TypeError, match="Sinc does not declare its meaning: give the class argument `numpy`"):

        class Sinc(Function, mnemonic="sinc"):
            """Sine of x by x."""

    assert "sinc" not in registry()


def test_an_elementwise_operator_without_a_meaning() -> None:
    with pytest.raises(TypeError, match="Cube does not declare its meaning: write `scalar` in the class"):

        class Cube(Unary, mnemonic="cube"):
            """x to the third."""


@pytest.mark.parametrize(("method", "what"), [("infer", "the type of its result"), ("evaluate", "its meaning")])
def test_an_operator_without_a_meaning(method: str, what: str) -> None:
    with pytest.raises(TypeError, match=f"Half does not declare {what}: write `{method}` in the class"):
        type("Half", (Turned,), {method: getattr(Op, method)}, mnemonic="half")  # type: ignore[call-overload]


def test_rows_without_the_operator_on_them() -> None:
    with pytest.raises(TypeError, match="Rows does not declare the operator on some of the rows: write `row_op`"):

        class Rows(Turned, mnemonic="rows"):
            def row_form(self) -> RowForm:
                return RowForm((Window(),))


def test_a_scalar_of_an_unknown_function() -> None:
    class Cube(Unary, mnemonic="cube"):
        """x to the third."""

        def scalar(self, *args: Expr) -> Expr:
            return call("to_the_third", args[0])

    with pytest.raises(IRError, match=r"cube: no function is called to_the_third: say what it means with `define`"):
        on_an_image(Cube)


# Spelling in ONNX


def test_an_operator_with_attributes_that_says_nothing_of_onnx() -> None:
    @dataclass(frozen=True)
    class Times(Unary, mnemonic="times"):
        """x by a number."""

        factor: float = 2.0

        def scalar(self, *args: Expr) -> Expr:
            return args[0] * self.factor

    assert refused_export(on_an_image(Times)) == (
        "times %y (from layer): Times declares no ONNX spelling: give the class argument `onnx` where ONNX has the "
        "same operator without attributes, else register a function that adds its nodes (`SPELLINGS`, in "
        "tinyc.compiler.export.graph), or `refuse` it there with the reason"
    )


def test_a_whole_operator_that_says_nothing_of_onnx() -> None:
    class Around(Turned, mnemonic="around"):
        """The opposite order."""

    assert "around %y (from layer): Around declares no ONNX spelling" in refused_export(on_an_image(Around))


def test_an_operator_that_onnx_does_not_have() -> None:
    class Sinc(Function, mnemonic="sinc", onnx="Sinc", numpy=np.sinc):
        """Sine of x by x."""

    told = refused_export(on_an_image(Sinc))
    assert "sinc %y (from layer): Sinc declares to be ONNX's Sinc, which opset 19 does not have" in told


# C


def code(kind: type[Op]) -> str:
    program = PlanArena().run(Lower().run(on_an_image(kind)))
    source = generate(program, name="m")  # type: ignore[arg-type]
    return "".join(source.files.values())


def test_a_function_that_the_c_library_has() -> None:
    class Cbrt(Function, mnemonic="cbrt", numpy=np.cbrt):
        """The cube root."""

    assert "cbrtf(" in code(Cbrt)


def test_a_function_that_the_c_library_has_not() -> None:
    class Sinc(Function, mnemonic="sinc", numpy=np.sinc):
        """Sine of x by x."""

    with pytest.raises(CodegenError) as caught:
        code(Sinc)
    assert str(caught.value).startswith("sinc %y (from layer): the function sinc of f32 declares no C: math.h")
    assert "backends/c/kernels/sinc_f32.h" in str(caught.value)


# Layouts


def test_an_operator_that_says_nothing_of_layouts() -> None:
    class Around(Turned, mnemonic="around"):
        """The opposite order."""

    def module() -> Module:
        b = Builder("m")
        x = b.add(Transpose(b.input("x", IMAGE), (0, 2, 3, 1)))
        y = b.add(Conv2d(x, b.constant(np.ones((2, 1, 1, 3), np.float32))))
        return b.build([b.add(Around(b.add(Transpose(y, (0, 3, 1, 2)))))])

    with pytest.raises(IRError) as caught:
        ChannelsLast().run(module())
    assert str(caught.value) == (
        "around: Around declares no layouts: register in passes/tensor/relayout.py in which layouts it can run "
        "(`FORMS`), and how (`BUILDS`), or `refuse` it there with the reason"
    )
    FORMS.refuse("it turns all elements around", Around)
    ChannelsLast().run(module())
    assert BUILDS.refused(Around) == "it turns all elements around", "what never happens needs no refusal of its own"
