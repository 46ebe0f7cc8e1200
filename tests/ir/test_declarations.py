"""Operators x concerns: every operator class declares everything, or the reason why there is nothing to declare."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest

from tests.generate import OPERATORS, Grower, Sample, overrides, runs, samples
from tests.helpers import new_operators
from tinyc.ir import Builder, DType, IRError, Module, Op, TensorType, Value
from tinyc.ir.concern import CONCERNS
from tinyc.ir.expr import Expr
from tinyc.ir.op import Accuracy, IntegerForm, StaysFloat
from tinyc.ir.ops.elementwise import Unary
from tinyc.ir.tensor import Array
from tinyc.ir.text import format_module
from tinyc.ir.text.parser import parse_module

COUNT = 15
"""Samples that each operator is asked about."""

Matter = Callable[[type[Op]], str]
"""What an operator lacks, empty where nothing is missing."""


def documentation(kind: type[Op]) -> str:
    said = kind.__doc__ or ""
    # A dataclass without a docstring is given its signature.
    return "" if said and not said.startswith(f"{kind.__name__}(") else "a docstring"


def sampler(kind: type[Op]) -> str:
    if not overrides(kind, "sample"):
        return "`sample`: a random one, for the tests over all operators"
    found = len(list(samples(kind, COUNT)))
    return "" if found == COUNT else f"`sample` that mostly succeeds: {found} of {10 * COUNT} draws fit together"


def type_inference(kind: type[Op]) -> str:
    """Of operands of other types, an operator is made that computes what it says, or none, by an `IRError`."""
    if not overrides(kind, "infer"):
        return "`infer`: the type of its result"
    for s in samples(kind, COUNT):
        for place, value in enumerate(s.op.operands):
            for other in other_types(value.type):
                values = [Value(v.name, other if k == place else v.type) for k, v in enumerate(s.op.operands)]
                what = f"operands {', '.join(str(v.type) for v in values)} ({s.op})"
                try:
                    op = s.op.with_operands(values)
                except IRError:
                    continue
                except Exception as error:
                    return f"an `IRError` from `infer` on {what}, not {error!r}"
                try:
                    op.loops(), op.row_form(), op.quantised(), op.unrunnable(), op.least([0.0] * len(values))
                    fine = evaluates(op, [ones(v.type) for v in values])
                except Exception as error:
                    return f"an `IRError` from `infer` on {what}, or what does without {error!r}"
                if not fine:
                    return f"a result of the type that `infer` says, on {what}"
    return ""


def other_types(type: TensorType) -> Iterator[TensorType]:
    yield from (TensorType(type.shape, dtype) for dtype in DType if dtype is not type.dtype)
    yield from (TensorType(shape, type.dtype) for shape in ((), (1, *type.shape), type.shape[1:], (7, 7), (0, 3)))


def ones(type: TensorType) -> Array:
    return np.ones(type.shape, type.dtype.numpy)


def evaluates(op: Op, arrays: list[Array]) -> bool:
    """Whether the result has the inferred type."""
    with np.errstate(all="ignore"):
        result = op.evaluate(*op.arguments(arrays))  # type: ignore[arg-type]
        kinds = (op.type.dtype.numpy, np.dtype(np.float64 if op.type.dtype.is_float else op.type.dtype.numpy))
        return result.shape == op.type.shape and result.dtype in kinds and op.run(arrays).shape == op.type.shape


def semantics(kind: type[Op]) -> str:
    if not overrides(kind, "evaluate"):
        return "`evaluate`: its meaning"
    wrong = next((s.op for s in samples(kind, COUNT) if not evaluates(s.op, s.arrays)), None)
    return f"`evaluate` that gives the type which `infer` says, of {wrong}" if wrong else ""


def execution(kind: type[Op]) -> str:
    if overrides(kind, "unrunnable"):
        return ""
    why = next((s.op.unrunnable() for s in samples(kind, COUNT) if s.op.unrunnable()), "")
    return why and (
        "how it runs: `row_form` and `row_op`, `loops`, or `runs_whole` with a kernel of its own; or the reason why no"
        f" program has it, by `unrunnable` ({why})"
    )


def accuracy(kind: type[Op]) -> str:
    return "" if isinstance(kind.accuracy, Accuracy) else "its `accuracy`"


def integer_form(kind: type[Op]) -> str:
    for s in samples(kind, COUNT):
        form = s.op.quantised()
        if isinstance(form, StaysFloat):
            good = bool(form.reason)
        else:
            named = {*form.operands, *form.constants}
            floats = all(v.dtype.is_float for v in (s.op.type, *named))
            good = isinstance(form, IntegerForm) and bool(form.operands) and named <= set(s.op.operands)
            # Of an operator on integers, it says how the same one on floats would be computed.
            good &= floats or not any(v.dtype.is_float for v in s.op.operands)
        if not good:
            return f"by `quantised` an integer form of its operands, or the reason why there is none ({s.op})"
    return ""


def text(kind: type[Op]) -> str:
    for s in samples(kind, COUNT):
        module = module_of(s)
        printed = format_module(module)
        if parse_module(printed.text, printed.data) != module:
            return f"fields that the text form keeps ({s.op})"
    return ""


def module_of(s: Sample) -> Module:
    b = Builder("one")
    given = enumerate(zip(s.op.operands, s.arrays, strict=True))
    values = [b.constant(a) if k in s.constants else b.input("x", v.type) for k, (v, a) in given]
    return b.build([b.add(s.op.with_operands(values))])


OWN: dict[str, Matter] = {
    "documentation": documentation,
    "sampler": sampler,
    "type inference": type_inference,
    "semantics": semantics,
    "execution": execution,
    "accuracy": accuracy,
    "integer form": integer_form,
    "text": text,
}
"""What a class declares itself."""


def missing(kind: type[Op], name: str) -> str:
    """What an operator lacks of a matter, and where it belongs."""
    if name in OWN:
        lacking = OWN[name](kind)
        return lacking and f"{kind.__name__} lacks {name}: give the class, in {kind.__module__}, {lacking}"
    concern = CONCERNS[name]
    return "" if concern.find(kind) is not None or concern.refused(kind) else concern.missing(kind)


@pytest.mark.parametrize("name", [*OWN, *CONCERNS])
def test_every_operator_declares(name: str) -> None:
    found = [lacking for kind in OPERATORS if (lacking := missing(kind, name))]
    assert not found, "\n".join(found)


def test_all_concerns_are_registered_when_the_compiler_is_imported() -> None:
    names = "import tinyc, tinyc.ir.concern as c; first = set(c.CONCERNS)"
    everything = (
        "import importlib, pkgutil\n"
        "for m in pkgutil.walk_packages(tinyc.__path__, 'tinyc.'):\n"
        "    m.name.endswith('__main__') or importlib.import_module(m.name)"
    )
    code = f"{names}\n{everything}\nprint(*sorted(set(c.CONCERNS) - first), sep='; ')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not ran.stdout.strip(), "its module is imported by nobody"


def test_an_elementwise_operator_is_one_expression() -> None:
    with new_operators():

        @dataclass(frozen=True)
        class Square(Unary, mnemonic="square_of_this_test"):
            """x * x."""

            def scalar(self, *args: Expr) -> Expr:
                return args[0] * args[0]

        assert [missing(Square, name) for name in (*OWN, *CONCERNS)] == [""] * len((*OWN, *CONCERNS))


def test_what_an_operator_lacks_is_said() -> None:
    with new_operators():

        @dataclass(frozen=True)
        class Bare(Op, mnemonic="bare_of_this_test"):
            x: Value

            def infer(self) -> TensorType:
                return self.x.type

            def evaluate(self, *operands: Array) -> Array:
                return operands[0]

        assert "Bare declares no C: register an emitter" in missing(Bare, "C")
        assert not runs(Bare)
        with pytest.raises(NotImplementedError, match="Bare has no sampler: write `sample` in the class, in tests"):
            Grower(Random(0)).sample(Bare)
        for name in ("documentation", "sampler", "layouts"):
            said = missing(Bare, name)
            assert "Bare" in said
            assert name in said
            assert (Bare.__module__ in said) == (name in OWN)

        @dataclass(frozen=True)
        class Halfway(Bare, mnemonic="halfway_of_this_test"):
            """Itself."""

            @classmethod
            def sample(cls, draw):  # type: ignore[no-untyped-def]
                return cls(draw.anything())

            def infer(self) -> TensorType:
                return TensorType(self.x.shape, DType.F32)

            def evaluate(self, *operands: Array) -> Array:
                return operands[0].reshape(-1)

        assert "`evaluate` that gives the type which `infer` says" in missing(Halfway, "semantics")
        assert "the type that `infer` says, on operands" in missing(Halfway, "type inference")
        assert "by `unrunnable`" in missing(Halfway, "execution")
