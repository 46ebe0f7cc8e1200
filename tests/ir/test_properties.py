"""What operators declare about themselves, held against what they compute: random ones of every class."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.generate import OPERATORS, Sample, samples
from tests.helpers import bits, same_bits
from tinyc.ir import IRError, Op, Value
from tinyc.ir import ops as o
from tinyc.ir.loops import run as run_loops
from tinyc.ir.op import Accuracy
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array


def run(op: Op, arrays: list[Array]) -> Array:
    with np.errstate(all="ignore"):
        return np.array(op.run(arrays), order="C")


def near(a: Array, b: Array, size: Array | float) -> bool:
    """Within the rounding of float32, relative to `size`: half an ulp (6e-8) of each operation, some two of a function
    (2.4e-7), a few after each other. Where one is not finite, nothing is said."""
    with np.errstate(all="ignore"):
        off = np.abs(a.astype(np.float64) - b)
        return bool((~np.isfinite(off) | (off <= 1e-6 * np.asarray(size) + 1e-30)).all())


def near_or_same(a: Array, b: Array, op: Op) -> bool:
    """As the operator's accuracy says."""
    exact = op.accuracy is Accuracy.EXACT or not op.type.dtype.is_float
    return same_bits(a, b) if exact else near(a, b, np.abs(b))


def floats(op: Op) -> bool:
    return op.type.dtype.is_float and all(v.dtype.is_float for v in op.operands)


def replaced(arrays: list[Array], place: int, array: Array) -> list[Array]:
    return [array if k == place else a for k, a in enumerate(arrays)]


# Each property yields, for a sample to which it applies, whether it holds.


def passes_on(s: Sample) -> Iterator[bool]:
    """Every element of the result is one of those operands', or `fill`."""
    passed = s.op.passes_on()
    if passed and s.op.type.size:
        known = [bits(a).reshape(-1) for v, a in zip(s.op.operands, s.arrays, strict=True) if v in passed]
        fill = s.op.fill()
        if fill is not None:
            known.append(bits(np.array([fill], s.op.type.dtype.numpy)))
        yield bool(np.isin(bits(run(s.op, s.arrays)), np.concatenate(known)).all())


def passes_on_blindly(s: Sample) -> Iterator[bool]:
    """Where it does not compare, the elements come from the same places whatever they are."""
    passed = s.op.passes_on()
    if passed and not s.op.chooses() and s.op.type.size:

        def moved(change: Callable[[Array], Array]) -> Array:
            arrays = [change(a) if v in passed else a for v, a in zip(s.op.operands, s.arrays, strict=True)]
            return run(s.op, arrays)

        from_operands = bits(moved(np.zeros_like)) != bits(moved(np.ones_like))
        yield from_operands.all() or s.op.fill() is not None
        yield same_bits(moved(turned)[from_operands], turned(run(s.op, s.arrays))[from_operands])


def turned(array: Array) -> Array:
    """Other elements, in the opposite order."""
    return ~array if array.dtype == np.bool_ or array.dtype.kind in "iu" else -array


def chooses(s: Sample) -> Iterator[bool]:
    """Only comparisons decide: larger numbers in the same order are chosen alike."""
    if s.op.chooses() and s.op.type.size:
        found = np.concatenate([a.reshape(-1) for a in s.arrays])
        order = np.unique(found)
        if len(order) <= 100 and order.dtype != np.bool_:

            def ranked(a: Array) -> Array:
                return np.searchsorted(order, a).astype(a.dtype)

            yield same_bits(run(s.op, [ranked(a) for a in s.arrays]), ranked(run(s.op, s.arrays)))


def is_identity(s: Sample) -> Iterator[bool]:
    if s.op.is_identity():
        yield s.op.type == s.op.operands[0].type
        yield same_bits(run(s.op, s.arrays), s.arrays[0])


def copies(s: Sample) -> Iterator[bool]:
    if s.op.copies():
        yield same_bits(run(s.op, s.arrays).reshape(-1), s.arrays[0].reshape(-1))


def is_view(s: Sample) -> Iterator[bool]:
    """The bytes of the first operand, from `view_offset` on."""
    if s.op.is_view():
        yield s.op.type.dtype is s.op.operands[0].dtype
        first = s.op.view_offset()
        yield same_bits(run(s.op, s.arrays).reshape(-1), s.arrays[0].reshape(-1)[first : first + s.op.type.size])


def parts(s: Sample) -> Iterator[bool]:
    """The operands one after the other."""
    if s.op.parts():
        yield tuple(v for v, _ in s.op.parts()) == s.op.operands
        result, end = run(s.op, s.arrays).reshape(-1), 0
        for (_, first), array in zip(s.op.parts(), s.arrays, strict=True):
            yield first == end
            end = first + array.size
            yield same_bits(result[first:end], array.reshape(-1))
        yield end == result.size


def renames(s: Sample) -> Iterator[bool]:
    """Each element of the operand once."""
    if s.op.renames():
        (x,) = s.arrays
        if x.size <= 127 and x.dtype != np.bool_:
            result = run(s.op, [np.arange(x.size).reshape(x.shape).astype(x.dtype)])
            yield sorted(result.reshape(-1).tolist()) == list(range(x.size))


def constant(s: Sample) -> Iterator[bool]:
    value = s.op.constant()
    if value is not None:
        yield not s.op.operands
        yield same_bits(value, run(s.op, []))


def filled(s: Sample) -> Iterator[bool]:
    """Another fill is in the same places."""
    if s.op.fill() is not None and s.op.type.dtype.is_float:
        (x,) = s.arrays
        a, b = (run(s.op.filled(v), [np.ones_like(x)]) for v in (2.0, 3.0))
        yield s.op.filled(2.0).fill() == 2.0
        yield s.op.filled(s.op.fill()) == s.op  # type: ignore[arg-type]
        yield same_bits(np.where(a == 2.0, np.float32(3.0), a), b)
        yield same_bits(run(s.op, s.arrays)[a != 2.0], run(s.op.filled(2.0), s.arrays)[a != 2.0])


def limits(s: Sample) -> Iterator[bool]:
    """Results lie within, and other limits cut the same numbers."""
    found = s.op.limits()
    if found is not None:
        holds = s.op.type.dtype.holds
        low, high = (limit if math.isinf(limit) else holds(limit) for limit in found)
        result = run(s.op, s.arrays)
        yield bool(((result >= low) & (result <= high) | (result != result)).all())
        yield s.op.limited(*found) == s.op
        widest = s.op.limited(-math.inf, math.inf) if floats(s.op) else s.op
        if floats(s.op):
            yield bool(np.array_equal(np.clip(run(widest, s.arrays), low, high), result, equal_nan=True))
        elif all(isinstance(limit, int) for limit in found):
            whole = run(s.op.limited(*s.op.type.dtype.limits), s.arrays)
            yield same_bits(np.clip(whole, int(low), int(high)), result)


def least(s: Sample) -> Iterator[bool]:
    """Never above the smallest element."""
    if s.op.type.size and all(a.size for a in s.arrays):
        lowest = [float(np.fmin.reduce(a, axis=None)) for a in s.arrays]
        result = run(s.op, s.arrays)
        for given in (lowest, [-math.inf] * len(lowest)):
            bound = s.op.least(given)
            if bound > -math.inf:
                yield bool((~(result < bound)).all())


def affine(s: Sample) -> Iterator[bool]:
    """a * x + b, within the rounding of floats."""
    for place, x in enumerate(s.arrays):
        found = s.op.affine(place, {k: a for k, a in enumerate(s.arrays) if k != place})
        if found is not None:
            a, b = found
            yield a.dtype == b.dtype == np.float64
            yield np.broadcast_shapes(a.shape, b.shape, s.op.type.shape) == s.op.type.shape
            with np.errstate(all="ignore"):
                product = a * x.astype(np.float64)
                whole = np.broadcast_to(product + b, s.op.type.shape)
                yield near(run(s.op, s.arrays), whole, np.abs(product) + 4 * np.abs(b))


def neutral(s: Sample) -> Iterator[bool]:
    """Bit for bit, signs of zeros included."""
    for place, number in s.op.neutral.items():
        full = np.full_like(s.arrays[place], number)
        result = run(s.op, replaced(s.arrays, place, full))
        yield same_bits(result, np.broadcast_to(s.arrays[1 - place], result.shape))


def jumps(s: Sample) -> Iterator[bool]:
    """What is no float jumps when made of floats; what does not jump changes little."""
    changeable = [k for k, v in enumerate(s.op.operands) if v.dtype.is_float]
    if s.op.jumps():
        yield bool(changeable)
    elif s.op.type.size:
        for place in changeable:
            yield s.op.type.dtype.is_float
            if not s.op.steep:
                before = run(s.op, s.arrays)
                moved = np.nextafter(s.arrays[place], np.float32(np.inf))
                after = run(s.op, replaced(s.arrays, place, moved))
                size = math.prod(float(np.abs(a[np.isfinite(a)]).max(initial=1.0)) for a in s.arrays if a.size)
                yield near(after, before, size * max(1, s.op.macs()))


def may_overwrite(s: Sample) -> Iterator[bool]:
    """An element of the operand decides on the element of the result in its place, and on none that is written before
    it is read: kernels for whole tensors read a row before they write it. What moves elements in blocks has just those
    that there were."""
    for place, array in enumerate(s.arrays):
        if (blocks := s.op.in_blocks()) is not None:
            yield s.op.renames() and blocks.images * blocks.planes * blocks.blocks * blocks.places == array.size
        elif s.op.may_overwrite(place) and array.size and s.op.type.size:
            yield s.op.operands[place].type.bytes == s.op.type.bytes
            before = run(s.op, s.arrays).reshape(-1)
            for j in {0, array.size // 2, array.size - 1}:
                flat = array.copy().reshape(-1)
                flat[j] = turned(flat[j : j + 1])[0]
                after = run(s.op, replaced(s.arrays, place, flat.reshape(array.shape))).reshape(-1)
                changed = np.flatnonzero((bits(after) != bits(before)) & ~((after != after) & (before != before)))
                row = array.shape[-1] if s.op.runs_whole() and array.shape else 1
                yield bool((changed // row == j // row).all())


def natural_scale(s: Sample) -> Iterator[bool]:
    """Results are represented to within a step."""
    if s.op.natural_scale is not None:
        scale, zero = s.op.natural_scale
        result = run(s.op, s.arrays)
        stored = np.clip(np.rint(result.astype(np.float64) / scale) + zero, -128, 127)
        yield bool((np.isnan(result) | (np.abs((stored - zero) * scale - result) <= scale)).all())


def accuracy(s: Sample) -> Iterator[bool]:
    """The loops compute the same in another order: the same bits, where that is said."""
    nests = s.op.loops()
    if nests is not None and s.op.type.size:
        out = np.zeros(s.op.type.size, s.op.type.dtype.numpy)
        flat = [np.ascontiguousarray(a).reshape(-1) for a in s.arrays]
        with np.errstate(all="ignore"):
            for nest in nests:
                run_loops(nest, flat, out)
        result = run(s.op, s.arrays)
        again = out.reshape(s.op.type.shape)
        yield near_or_same(again, result, s.op)


def keeps_channels(s: Sample) -> Iterator[bool]:
    """A channel times a power of two is that channel of the result times it."""
    if s.op.keeps_channels() and floats(s.op) and s.op.type.rank and s.op.type.size:
        x = s.arrays[0]
        powers = (2.0 ** (np.arange(x.shape[-1]) % 5 - 2)).astype(np.float32)
        yield same_bits(run(s.op, [x * powers, *s.arrays[1:]]), run(s.op, s.arrays) * powers)


def uniform(s: Sample) -> Iterator[bool]:
    """Elements in the opposite order give results in the opposite order."""
    if isinstance(s.op, o.Elementwise | o.Broadcast) and s.op.uniform():
        yield near_or_same(run(s.op, [np.flip(a) for a in s.arrays]), np.flip(run(s.op, s.arrays)), s.op)


def channels_of_weights(s: Sample) -> Iterator[bool]:
    """A factor an input channel of the operand is one of the weights, and so for output channels."""
    if isinstance(s.op, LinearLayer):
        op = s.op.limited(-math.inf, math.inf).with_outside(0.0).with_weights(s.op.w, None)
        x, w = s.arrays[0], s.arrays[1]
        inputs, outputs = (2.0 ** (np.arange(n) % 5 - 2) for n in (x.shape[-1], op.type.shape[-1]))
        factor = op.per_input(inputs).astype(np.float32)
        yield same_bits(run(op, [(x * inputs).astype(np.float32), w]), run(op, [x, w * factor]))
        factor = op.per_output(outputs).astype(np.float32)
        yield same_bits((run(op, [x, w]) * outputs).astype(np.float32), run(op, [x, w * factor]))
        yield op.by_output(w).shape == (op.type.shape[-1], op.w.type.size // op.type.shape[-1])


def absorb_pad(s: Sample) -> Iterator[bool]:
    """What reads a padded operand, and what pads it itself."""
    if isinstance(s.op, Spatial):
        x = s.op.operands[0]
        for value, pads in ((0.0, (1, 0, 0, 2)), (1.0, (0, 1, 1, 0)), (-1.0, (1, 1, 0, 0))):
            (top, left, bottom, right) = pads
            try:
                pad = o.Pad(x, (0, top, left, 0), (0, bottom, right, 0), (), value)
                op = s.op.with_operands([Value("padded", pad.type), *s.op.operands[1:]])
                found = op.absorb_pad(x, pads, value, float(s.arrays[0].min()))
            except IRError:
                continue
            if isinstance(found, Op):
                yield same_bits(run(found, s.arrays), run(op, replaced(s.arrays, 0, run(pad, s.arrays[:1]))))
            else:
                yield bool(found)


PROPERTIES = [
    passes_on,
    passes_on_blindly,
    chooses,
    is_identity,
    copies,
    is_view,
    parts,
    renames,
    constant,
    filled,
    limits,
    least,
    affine,
    neutral,
    jumps,
    may_overwrite,
    natural_scale,
    accuracy,
    keeps_channels,
    uniform,
    channels_of_weights,
    absorb_pad,
]


@cache
def all_samples() -> list[Sample]:
    return [s for kind in OPERATORS for calm in (False, True) for s in samples(kind, 30, calm)]


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda p: p.__name__)
def test_declarations_are_true(holds: Callable[[Sample], Iterator[bool]]) -> None:
    met = 0
    wrong: dict[type[Op], str] = {}
    for s in all_samples():
        kind, found = type(s.op), list(holds(s))
        met += bool(found)
        if not all(found):
            wrong[kind] = f"{kind.__module__}.{kind.__name__}, {holds.__name__}: {s.op} on {s.arrays}"
    assert not wrong, "\n".join(wrong.values())
    assert met >= 20, "hardly any operator declares it"


LIES: list[tuple[type[Op], str, object, Callable[[Sample], Iterator[bool]]]] = [
    (o.Pad, "fill", lambda op: None, passes_on),
    (o.MaxPool2d, "chooses", lambda op: False, passes_on_blindly),
    (o.Where, "passes_on", lambda op: op.operands[:1], passes_on),
    (o.ReduceSum, "chooses", lambda op: True, chooses),
    (o.Concat, "is_identity", lambda op: len(op.xs) < 3, is_identity),
    (o.Neg, "copies", lambda op: True, copies),
    (o.Transpose, "is_view", lambda op: True, is_view),
    (o.Slice, "view_offset", lambda op: 0, is_view),
    (o.Concat, "parts", lambda op: tuple((x, 0) for x in op.xs), parts),
    (o.Broadcast, "renames", lambda op: True, renames),
    (o.Conv2d, "limits", lambda op: (-1.0, 1.0), limits),
    (o.Abs, "least", lambda op, operands: 1.0, least),
    (o.Sub, "affine", lambda op, place, others: o.Add(op.x, op.y).affine(place, others), affine),
    (o.Add, "neutral", {1: 0.0}, neutral),
    (o.Less, "jumps", lambda op: False, jumps),
    (o.Exp, "steep", False, jumps),
    (o.Add, "may_overwrite", lambda op, place: True, may_overwrite),
    (o.Softmax, "natural_scale", (1 / 512, -128), natural_scale),
    (o.Clamp, "keeps_channels", lambda op: True, keeps_channels),
    (o.Dequantize, "uniform", lambda op: True, uniform),
    (o.Constant, "constant", lambda op: turned(op.data.array), constant),
    (o.Pad, "filled", lambda op, value: op, filled),
    (o.ReduceSum, "accuracy", Accuracy.EXACT, accuracy),
    (o.Conv2d, "absorb_pad", lambda op, x, pads, value, least: replace(op, x=x, pads=pads, pad_value=7.0), absorb_pad),
    (o.Conv2d, "per_input", lambda op, vector: vector[: op.w.shape[3]], channels_of_weights),
]


@pytest.mark.parametrize(("kind", "name", "lie", "property"), LIES)
def test_a_false_declaration_is_seen(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Op],
    name: str,
    lie: object,
    property: Callable[[Sample], Iterator[bool]],
) -> None:
    monkeypatch.setattr(kind, name, lie)
    assert not all(all(property(s)) for s in samples(kind, 60))


def test_each_property_can_be_false() -> None:
    assert {lie[-1] for lie in LIES} == set(PROPERTIES)
