"""Random typed modules over all operators, for property tests.

`random_module(random.Random(seed))` or, with hypothesis, `random_module(draw(st.randoms()))`. Operators make random
instances of themselves (`Op.sample`), from the values there are, or new ones; and there are motifs, the chains that
real networks are made of and that passes look for. `smooth=True` leaves out what amplifies rounding, for passes that
may round differently.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import numpy as np

from tinyc.ir import Builder, DType, IRError, Module, Op, TensorType, Value, registry
from tinyc.ir import ops as o
from tinyc.ir.draw import Draw, GiveUp, random_array
from tinyc.ir.tensor import Array

F32 = DType.F32
LARGEST = 600
"""Elements of a value, at most."""

OPERATORS = [kind for kind in registry().values() if kind.__module__.startswith("tinyc.")]
"""Without those that a test defines: modules must not depend on which tests are loaded."""


def random_inputs(random: Random, module: Module, calm: bool = False) -> list[Array]:
    """Arrays for a module's inputs."""
    return [random_array(random, v.type, calm) for v in module.inputs]


def random_module(random: Random, size: int = 10, smooth: bool = False) -> Module:
    """A module of about `size` operators with one to three outputs."""
    return Grower(random, smooth).grow(size)


class Grower(Draw):
    """A module under way."""

    def __init__(self, random: Random, smooth: bool = False) -> None:
        super().__init__(random, smooth)
        self.builder = Builder("random")
        self.values: list[Value] = []
        self.exact: set[Value] = set()
        """Values that no rounding reaches: inputs and constants."""

    def grow(self, size: int) -> Module:
        for _ in range(size):
            if self.chance(0.25):
                self.attempt(self.choice(MOTIFS))
            else:
                kind = self.choice(OPERATORS)
                self.attempt(lambda g, kind=kind: g.sample(kind))
        while not self.values:
            self.attempt(lambda g: g.sample(o.Reshape))
        picked = [self.values[-1], *self.random.sample(self.values, min(len(self.values), self.random.randrange(3)))]
        return self.builder.build(list(dict.fromkeys(picked)))

    def attempt(self, make: Callable[[Grower], object]) -> None:
        """Makes something; what is chosen may not fit together, and then nothing comes of it."""
        with suppress(IRError, GiveUp):
            make(self)

    def sample(self, kind: type[Op]) -> Value:
        """Adds a random operator of a class."""
        return self.add(kind.sample(self))

    def add(self, op: Op) -> Value:
        if op.type.size > LARGEST or op.type.rank > 5 or (self.smooth and self._amplifies(op)):
            raise GiveUp
        value = self.builder.add(op, loc=f"node{self.random.randrange(30)}")
        self.values.append(value)
        return value

    def _amplifies(self, op: Op) -> bool:
        return (op.steep and op.type.dtype.is_float) or (op.jumps() and not self.exact.issuperset(op.operands))

    def given(self, array: Array) -> Value:
        value = self.builder.constant(array)
        self.exact.add(value)
        return value

    def fresh(self, type: TensorType) -> Value:
        """A new input, or rarely a constant."""
        if self.chance(0.15):
            return self.constant(type.shape, type.dtype)
        value = self.builder.input("x", type)
        self.exact.add(value)
        return value

    def pick(self, fits: Callable[[Value], bool], type: TensorType) -> Value:
        """A value there is, the later the likelier, or a new one."""
        found = [v for v in self.values if fits(v)]
        if found and self.chance(0.85):
            return found[max(self.random.randrange(len(found)) for _ in range(2))]
        return self.fresh(type)


TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def _channelwise(g: Grower, x: Value) -> Value:
    """Batch norm as one operator or as two, or an activation."""
    channels = x.shape[-1]
    kind = g.random.randrange(4)
    if kind == 0:
        x = g.add(o.Mul(x, g.constant((channels,))))
        return g.add(o.Add(x, g.constant((channels,))))
    if kind == 1:
        return g.add(o.Clamp(x, **g.limits()))
    if kind == 2:
        variance = np.abs(random_array(g.random, TensorType((channels,), F32), calm=True)) + np.float32(0.25)
        scale, bias, mean = (g.constant((channels,)) for _ in range(3))
        return g.add(o.BatchNorm(x, scale, bias, mean, g.given(variance)))
    value = g.choice([0.0, 0.0, 1.0])
    (top, left), (bottom, right) = g.pair(0, 1), g.pair(0, 1)
    return g.add(o.Pad(x, (0, top, left, 0), (0, bottom, right, 0), (), value))


def _chain(g: Grower) -> None:
    """conv -> batch norm, activation, pad, ... -> conv or pool."""
    x = g.sample(o.Conv2d if g.chance(0.7) else o.DepthwiseConv2d)
    for _ in range(g.integer(1, 4)):
        x = _channelwise(g, x)
    g.sample(g.choice([o.Conv2d, o.DepthwiseConv2d, o.MaxPool2d, o.AvgPool2d]))


def _nchw(g: Grower) -> None:
    """A channel-first convolution and what follows it, as the frontend writes them."""
    new = TensorType((1, g.integer(1, 4), *g.pair(1, 5)), F32)
    x = g.pick(lambda v: v.dtype is F32 and v.type.rank == 4, new)
    nhwc = g.add(o.Transpose(x, TO_NHWC))
    w = g.constant((g.integer(1, 4), 1, 1, nhwc.shape[3]))
    y = g.add(o.Transpose(g.add(o.Conv2d(nhwc, w)), TO_NCHW))
    kind = g.random.randrange(4)
    if kind == 0:
        y = g.add(o.Clamp(y, **g.limits()))
    elif kind == 1:
        y = g.add(o.Add(y, g.constant((y.shape[1], 1, 1)) if g.chance(0.5) else g.partner(y)))
    elif kind == 2:
        y = g.add(o.Reshape(y, (y.shape[0], y.type.size // y.shape[0])))
        g.add(o.Dense(y, g.constant((3, y.shape[1]))))
    else:
        y = g.add(o.Concat((y, g.add(o.Tanh(y))), 1))


def _repeat(g: Grower) -> None:
    """A copy of an operator there is, and a value that two operators read."""
    x = g.floating()
    g.add(o.Add(g.add(o.Tanh(x)), g.add(o.Tanh(x))))


def quantised_chain(g: Grower) -> None:
    """A quantised network in small: convolutions, pooling, addition, mean, dense, softmax."""
    for _ in range(g.integer(1, 3)):
        g.sample(g.choice([o.QConv2d, o.QDepthwiseConv2d]))
        g.sample(g.choice([o.Lookup, o.QAvgPool2d, o.QAdd, o.MaxPool2d]))
    for kind in (o.QMean, o.QDense, o.QSoftmax):
        g.sample(kind)


MOTIFS: list[Callable[[Grower], object]] = [_chain, _nchw, _repeat, quantised_chain]


@dataclass(frozen=True)
class Sample:
    """A random operator on values of its own, and arrays for its operands. `constants` are those that are constants."""

    op: Op
    arrays: list[Array]
    constants: frozenset[int]


def overrides(kind: type[Op], method: str) -> bool:
    """Whether an operator class says something of its own, or by one of its bases."""
    return inspect.getattr_static(kind, method) is not inspect.getattr_static(Op, method)


def runs(kind: type[Op]) -> bool:
    """Whether a program can have a stage of such an operator: not of constants, nor of what passes take apart."""
    return any(s.op.operands and not s.op.unrunnable() for s in samples(kind, 20))


def samples(kind: type[Op], count: int, calm: bool = False) -> Iterator[Sample]:
    """Random operators of a class: so many, or fewer if what is drawn hardly ever fits together. None of a class that
    lacks its sampler: tests/ir/test_declarations.py names it, and other tests go on."""
    for seed in range(10 * count if overrides(kind, "sample") else 0):
        if not count:
            return
        grower = Grower(Random(seed))
        try:
            op = kind.sample(grower)
        except (IRError, GiveUp):
            continue
        count -= 1
        known = {v: node.op.constant() for v in op.operands if (node := grower.builder.node(v)) is not None}
        arrays = {v: random_array(grower.random, v.type, calm) for v in dict.fromkeys(op.operands)}
        arrays |= {v: array for v, array in known.items() if array is not None}
        yield Sample(
            op, [arrays[v] for v in op.operands], frozenset(k for k, v in enumerate(op.operands) if v in known)
        )
