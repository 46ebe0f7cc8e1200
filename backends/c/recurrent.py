"""C for recurrent layers: one call a layer, in which the steps are a loop."""

from __future__ import annotations

import numpy as np

from tinyc.backends.c.calls import Literal, pointer, require_float, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.literals import C_TYPES, literal
from tinyc.backends.c.quantised import Parameter
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Scratch, TranslationUnit
from tinyc.ir import fixed_point, q15
from tinyc.ir.gates import Gate
from tinyc.ir.op import Value
from tinyc.ir.ops.qrecurrent import MOST, MOST_SUMS, QGru, QLstm, QRecurrent, QRnn, most_products
from tinyc.ir.ops.recurrent import Gru, Lstm, Recurrent, Rnn, Steps
from tinyc.ir.rows import Stage
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

NUMBERS = {function: number for number, function in enumerate(Gate)}
"""What kernels call the activations."""
NAMES = "fgk"
FEW = 255
"""Products of int8 and int16 that int32 holds the sum of, whatever they are."""
AT_MOST_1 = (Gate.SIGMOID, Gate.TANH, Gate.SOFTSIGN, Gate.HARD_SIGMOID)
"""Those whose results are at most 1."""


def interleaved(weights: Array, gates: int, lanes: int) -> Array:
    """Weights [gates * hidden, elements] with those of the first `lanes` gates of a unit beside each other, element by
    element, [hidden, elements, lanes]; those of the other gates behind, as they are."""
    hidden = weights.shape[0] // gates
    first, rest = weights[: lanes * hidden], weights[lanes * hidden :]
    return np.concatenate([first.reshape(lanes, hidden, -1).transpose(1, 2, 0).reshape(-1), rest.reshape(-1)])


@emits(Rnn, Gru)
def emit_float(unit: TranslationUnit, stage: Stage, op: Recurrent) -> RowCall:
    """A recurrent layer on floats."""
    return _floats(unit, stage, op)


@emits(Lstm)
def emit_cell(unit: TranslationUnit, stage: Stage, op: Lstm) -> RowCall:
    """A layer whose kernel is told where in the result the cell goes, 0 for nowhere."""
    hidden_states = (op.kept() - 1) * op.sizes[1] * op.hidden
    return _floats(unit, stage, op, ("cell_at", str(hidden_states if op.cell else 0)))


@emits(QRnn, QLstm)
def emit_integers(unit: TranslationUnit, stage: Stage, op: QRecurrent) -> RowCall:
    """A recurrent layer on integers."""
    return _integers(unit, stage, op)


@emits(QGru)
def emit_gated(unit: TranslationUnit, stage: Stage, op: QGru) -> RowCall:
    """A layer whose gates have a bias of their own within, and scale the hidden state."""
    return _integers(unit, stage, op, inner=op.rb, shared=op.h)


def _floats(unit: TranslationUnit, stage: Stage, op: Recurrent, *more: Literal) -> RowCall:
    """A layer on floats. `more` is what kernels of its kind alone are told."""
    require_float(stage)
    lanes = op.together()
    constants = [unit.constant(v) for v in (op.w, op.r)]
    packed = lanes > 1 and all(array is not None for array in constants)
    given: list[Parameter] = [((pointer(DType.F32), "x"), Pointer(0))]
    for name, value, array in zip("wr", (op.w, op.r), constants, strict=True):
        where: Argument = Pointer(op.operands.index(value))
        if packed and array is not None:
            mixed = interleaved(array, op.gates, lanes)
            where = unit.constants.symbol(mixed, f"{value.name}_packed", "gates of a unit beside each other")
        given.append(((pointer(DType.F32), name), where))
    given.append(_operand(op, "b", op.b))
    given += [_operand(op, name, value) for name, value in (("h", op.h), *op.own_operands().items())]
    literals = _geometry(op)
    if op.gates > 1:
        literals.append(("packed", str(int(packed))))
    clip = literal(DType.F32, op.clip)
    functions = [
        (NUMBERS[f], literal(DType.F32, a), literal(DType.F32, b))
        for f, a, b in zip(op.functions, op.alpha, op.beta, strict=True)
    ]
    literals += [*more, ("clip", clip), *_named(op, functions)]
    return _call(unit, stage, op, given, ("float *", "state"), literals)


def _integers(
    unit: TranslationUnit, stage: Stage, op: QRecurrent, inner: Value | None = None, shared: Value | None = None
) -> RowCall:
    """A layer on integers. `inner` is added to a sum once more, scaled by a gate; `shared` is the first of the states
    that gates scale. Raises `CodegenError` where what has to be constant is computed."""

    def constant(name: str, value: Value | None, lanes: int = 0) -> Parameter:
        if value is None:
            return ("", "NULL"), None
        array = unit.constant(value)
        if array is None:
            raise CodegenError(f"{stage.where}: {value} has to be a constant")
        if lanes:
            array = interleaved(array.reshape(array.shape[0], -1), op.gates, lanes)
        elif name in ("h", "c", "p"):
            array = np.clip(array, -q15.LIMIT, q15.LIMIT)
        return (pointer(value.dtype), name), unit.constants.symbol(
            array, f"{value.name}_packed" if lanes else value.name
        )

    table = unit.constants.symbol(q15.knots(op.tanh_step()).astype(np.int16), "tanh", "tanh from 0 to 8, times 2^15")
    given: list[Parameter] = [((pointer(op.x.dtype), "x"), Pointer(0))]
    given += [constant(name, value, op.together()) for name, value in (("w", op.w), ("r", op.r))]
    given += [constant(name, value, op.gates) for name, value in (("b", op.b), ("wm", op.wm), ("rm", op.rm))]
    given += [constant(name, value) for name, value in (("h", op.h), *op.own_operands().items())]
    given.append(((pointer(DType.I16), "table"), table))
    values = {"places": op.places, "multiplier": op.multiplier, "shift": op.shift, "zero": op.zero}
    values |= {"x_bytes": op.x.dtype.bytes, "bytes": op.to.bytes, "most": _most(unit, op), "step": op.tanh_step()}
    values["clip"] = op.clip
    values["bounded"] = int(_bounded(unit, op, inner, stage.where))
    if op.gates > 1:
        values["small"] = int(_small(unit, op, shared))
    functions = [(NUMBERS[f], str(a), str(b)) for f, a, b in zip(op.functions, op.alpha, op.beta, strict=True)]
    literals = [*_geometry(op), *((name, str(value)) for name, value in values.items()), *_named(op, functions)]
    return _call(unit, stage, op, given, ("int32_t *", "state"), literals)


def _numbers(unit: TranslationUnit, *values: Value) -> list[Array]:
    """What constants hold, in float64, those among values that are any."""
    return [a.astype(np.float64) for v in values if (a := unit.constant(v)) is not None]


def _most(unit: TranslationUnit, op: QRecurrent) -> int:
    """Products of which int32 holds the sum."""
    w, r = _numbers(unit, op.w, op.r)
    alone = [most_products(op.x.dtype, op.to, w, r, *given).max() for given in ((1.0, 0.0), (0.0, 1.0))]
    return MOST if max(alone) <= fixed_point.INT32[1] else FEW


def _bounded(unit: TranslationUnit, op: QRecurrent, inner: Value | None, where: str) -> bool:
    """Whether constants keep every gate's sum, and each part of it, within the limits. Raises `CodegenError` where
    int64 need not hold the products."""
    w, r, wm, rm, b = _numbers(unit, op.w, op.r, op.wm, op.rm, op.b)
    products = most_products(op.x.dtype, op.to, w, r, wm, rm)
    if products.max() > MOST_SUMS:
        found = f"{products.max():.3g} with their multipliers"
        raise CodegenError(f"{where}: sums of products are up to {found}, and int64 has to hold 2^62 at most")
    most = products / 2.0**op.places + np.abs(b) + 4
    added = unit.constant(inner) if inner is not None else None
    extra = 0.0 if added is None else float(np.abs(added.astype(np.float64)).max())
    return float(most.max()) + extra <= q15.LIMIT


def _small(unit: TranslationUnit, op: QRecurrent, shared: Value | None) -> bool:
    """Whether gates are 0 to 1, and what they scale, and the first state that they scale, at most 1."""
    state = unit.constant(shared) if shared is not None else None
    calm = state is None or int(np.abs(state.astype(np.int64)).max()) <= q15.ONE
    shares = op.functions[0] in (Gate.SIGMOID, Gate.HARD_SIGMOID)
    return calm and shares and all(f in AT_MOST_1 for f in op.functions)


def _operand(op: Steps, name: str, value: Value | None) -> Parameter:
    if value is None:
        return ("", "NULL"), None
    return (pointer(value.dtype), name), Pointer(op.operands.index(value))


def _geometry(op: Steps) -> list[Literal]:
    steps, batch, inputs = op.sizes
    # Of a signal, a call is a row.
    steps = 1 if op.signal else steps
    sizes = {"steps": steps, "batch": batch, "inputs": inputs, "hidden": op.hidden}
    ways = {"reverse": int(op.reverse), "every": int(op.every)}
    return [(name, str(value)) for name, value in (sizes | ways).items()]


def _named(op: Steps, functions: list[tuple[int, str, str]]) -> list[Literal]:
    """The activations, and before them how gates of this kind belong together."""
    found = [(name, str(int(value))) for name, value in op.own_flags().items()]
    for name, (number, a, b) in zip(NAMES, functions, strict=False):
        found += [(name, str(number)), (f"{name}a", a), (f"{name}b", b)]
    return found


def _call(
    unit: TranslationUnit,
    stage: Stage,
    op: Steps,
    given: list[Parameter],
    memory: tuple[str, str],
    literals: list[Literal],
) -> RowCall:
    """The call: what is given, memory, the result, and literals."""
    # What `carry` means, the kernels say.
    carry: Parameter = (("int", "carry"), "y > 0 ? 2 : 1") if op.signal else (("", "/*carry=*/0"), None)
    given = [*given, (memory, Scratch()), carry]
    result = stage.result.dtype
    out = (f"{C_TYPES[result]} *", "out")
    function = specialise(unit, op.mnemonic, op.mnemonic, result, [*(p for p, _ in given), out], literals)
    return RowCall(function, tuple(argument for _, argument in given if argument is not None))
