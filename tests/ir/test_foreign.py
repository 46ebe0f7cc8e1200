"""Operator classes that are not tinyc's own and do not keep to what they promise: they are named, whoever asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.helpers import new_operators
from tinyc.backends.interpreter import run_module
from tinyc.ir import Builder, DType, Module, Op, TensorType, TinycError, Value
from tinyc.ir.errors import OperatorError
from tinyc.ir.expr import Expr
from tinyc.ir.op import Accuracy
from tinyc.ir.ops import Clamp, Dense
from tinyc.ir.ops.elementwise import Function, Unary
from tinyc.passes import PassError, PassManager
from tinyc.passes.pipeline import tensor_passes

X = TensorType((2, 3), DType.F32)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with new_operators():
        yield


def scale(**methods: Callable[..., Any]) -> type[Any]:
    """An operator, twice its operand, with these methods in place of its own."""

    class Scale(Unary):
        def scalar(self, *args: Expr) -> Expr:
            return args[0] * 2.0

        def affine(self, place: int, constants: Mapping[int, Any]) -> Any:
            return np.full(3, 2.0), np.zeros(3)

    own: dict[str, Any] = {"__module__": __name__, **methods}
    return dataclass(frozen=True)(type("Twice", (Scale,), own, mnemonic="twice_of_this_test"))


def behind_dense(kind: type[Any]) -> Module:
    b = Builder("net")
    x = b.input("x", X)
    layer = b.add(Dense(x, b.constant(np.eye(3, dtype=np.float32))), "layer")
    return b.build([b.add(Clamp(b.add(kind(layer), "y", "/net/Twice"), min=0.0))])


def optimised(module: Module) -> Module:
    after, _ = PassManager(tensor_passes()).run(module)
    assert isinstance(after, Module)
    return after


def divides(self: object, *args: Any) -> Any:
    return 1 // len(args[2:])


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("affine", divides, r"failed: .*test_foreign.py:\d+: ZeroDivisionError: "),
        ("affine", lambda *_: 3, "gave int 3, and has to give None, or two arrays"),
        ("affine", lambda *_: (np.ones(3),), r"gave \(an array of float64\[3\],\), and has to give"),
        ("affine", lambda *_: (np.ones(4), np.ones(3)), r"one number a channel \(\[3\]\), or one in all"),
        ("affine", lambda *_: (np.ones((2, 3)), np.ones(3)), "gave"),
        ("affine", lambda *_: (np.array(["a"] * 3), np.ones(3)), "gave"),
        ("affine", lambda *_: (2.0, 0.0), "gave"),
        ("passes_on", lambda self: None, "gave None, and has to give a tuple of operands"),
        ("passes_on", lambda self: [self.x], "a tuple of operands"),
        ("passes_on", lambda self: (Value("other", X),), "a tuple of operands"),
        ("passes_on", lambda self: [][0], "failed: .*IndexError"),
        ("is_identity", lambda self: {}["x"], "failed: .*KeyError"),
    ],
)
def test_what_a_pass_of_ours_is_told(method: str, given: Callable[..., Any], said: str) -> None:
    module = behind_dense(scale(**{"affine": lambda *_: None, method: given}))
    named = rf"^pass [a-z-]+: twice_of_this_test %y \(from /net/Twice\): `Twice.{method}` .*{said}"
    with pytest.raises(PassError, match=named):
        optimised(module)


class Mixed:
    """What a class takes from elsewhere."""

    def evaluate(self, *arrays: object) -> object:
        return divides(self, *arrays)


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("is_identity", lambda self: "no", "gave str no, and has to give bool"),
        ("limits", lambda self: (1,), r"gave \(int 1,\), and has to give tuple\[float, float\] \| None"),
        ("row_form", lambda self: 3, r"gave int 3, and has to give RowForm \| None"),
        ("macs", lambda self: None, "gave None, and has to give int"),
        ("zero_point", staticmethod(lambda: "x"), r"gave str x, and has to give int \| None"),
        ("runs_whole", staticmethod(lambda: 1 / 0), "failed: .*ZeroDivisionError"),
        ("runs_whole", cache(lambda self: 1 / 0), "failed: .*ZeroDivisionError"),
        ("loops", lambda self: (n for n in ()), r"gave generator .*, and has to give tuple\[Loops, \.\.\.\]$"),
    ],
)
def test_what_a_method_gives_is_of_its_type(method: str, given: Any, said: str) -> None:
    op = scale(**{method: given})(Value("x", X))
    with pytest.raises(OperatorError, match=rf"^twice_of_this_test\(%x\): `Twice.{method}` {said}"):
        getattr(op, method)()


def test_methods_of_other_classes_are_held_to_it_too() -> None:
    own = {"__module__": __name__, "scalar": lambda self, x: x}
    kind: Any = dataclass(frozen=True)(type("Twice", (Mixed, Unary), own, mnemonic="twice_of_this_test"))
    with pytest.raises(OperatorError, match=r"`Twice.evaluate` failed: .*test_foreign\.py"):
        kind(Value("x", X)).run([np.ones(X.shape, np.float32)])


def test_what_does_not_go_together() -> None:
    op = scale(infer=lambda self: TensorType((3,), DType.F32))(Value("x", X))
    with pytest.raises(OperatorError, match=r"`Twice` cannot be evaluated as what it infers: .*ValueError: "):
        op.run([np.ones(X.shape, np.float32)])
    with pytest.raises(TypeError, match="Odd: `numpy` is a function of arrays, not 3"):
        type("Odd", (Function,), {"__module__": __name__}, mnemonic="odd_of_this_test", numpy=3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda self, *args: None, "gave None, and has to give an expression"),
        (lambda self, *args: 1 // 0, "failed: .*ZeroDivisionError"),
    ],
)
def test_a_meaning_that_is_none_is_told_when_the_operator_is_made(given: Callable[..., Any], said: str) -> None:
    with pytest.raises(OperatorError, match=rf"^twice_of_this_test\(%x\): `Twice.scalar` {said}"):
        scale(scalar=given)(Value("x", X))


@pytest.mark.parametrize("given", [lambda self, *arrays: None, lambda self, *arrays: arrays[0][:1], divides])
def test_a_meaning_that_fails_when_it_runs(given: Callable[..., Any]) -> None:
    module = behind_dense(scale(evaluate=given))
    with pytest.raises(TinycError, match=r"twice_of_this_test\(%layer\): `Twice.evaluate` "):
        run_module(module, [np.ones(X.shape, np.float32)])


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (1, 1)])
def test_a_map_of_channels_may_have_any_shape_that_broadcasts_to_them(shape: tuple[int, ...]) -> None:
    module = behind_dense(scale(affine=lambda *_: (np.full(shape, 2.0), np.zeros(shape))))
    after = optimised(module)
    assert [type(n.op).__name__ for n in after.nodes] == ["Constant", "Dense"], "it went into the weights"
    x = np.arange(6, dtype=np.float32).reshape(X.shape)
    np.testing.assert_array_equal(run_module(after, [x])[0], 2 * x)


def test_an_error_of_tinycs_own_is_as_it_was() -> None:
    def refuses(self: object) -> TensorType:
        raise TinycError("it does not suit me")

    with pytest.raises(TinycError, match=r"^it does not suit me$"):
        scale(infer=refuses)(Value("x", X))


@pytest.mark.parametrize("mnemonic", ["", "two words", 'quo"ted', "1st", "ümlaut", "a-b", 3])
def test_a_mnemonic_is_a_word(mnemonic: Any) -> None:
    with pytest.raises(TypeError, match=r"^Odd: `mnemonic` is a word of letters, digits and _, not "):

        class Odd(Unary, mnemonic=mnemonic):
            def scalar(self, *args: Expr) -> Expr:
                return args[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"accuracy": "exact"}, "`accuracy` is one of Accuracy.EXACT, .* not 'exact'"),
        ({"steep": "no"}, "`steep` is True or False, not 'no'"),
        ({"onnx": None}, "`onnx` is the name of an operator, not None"),
    ],
)
def test_class_arguments_are_of_their_kind(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=f"^Odd: {said}"):

        class Odd(Unary, mnemonic="odd_of_this_test", **arguments):
            def scalar(self, *args: Expr) -> Expr:
                return args[0]


def test_an_attribute_without_a_decorator() -> None:
    class Scaled(Unary, mnemonic="scaled_of_this_test", accuracy=Accuracy.EXACT):
        factor: float = 2.0

        def scalar(self, *args: Expr) -> Expr:
            return args[0] * self.factor

    make: Any = Scaled
    said = r"^Scaled.factor is no field: `@dataclass\(frozen=True\)` is missing before the class$"
    for given in ({}, {"factor": 3.0}):
        with pytest.raises(TypeError, match=said):
            make(Value("x", X), **given)
    assert isinstance(dataclass(frozen=True)(Scaled)(Value("x", X)), Op)
