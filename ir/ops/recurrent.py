"""Recurrent layers in float: each is one operator, whatever the number of its steps.

Operands are [steps, batch, inputs], weights [gates * hidden, inputs] and [gates * hidden, hidden], as ONNX has them for
one direction.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Accuracy, Form, IntegerForm, Op, StaysFloat, Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

RecurrentT = TypeVar("RecurrentT", bound="Steps")
NO_CLIP = math.inf


class Gate(enum.Enum):
    """An activation of a gate, a function of z with two parameters a and b."""

    SIGMOID = "sigmoid"
    TANH = "tanh"
    RELU = "relu"
    SOFTSIGN = "softsign"
    AFFINE = "affine"
    LEAKY_RELU = "leaky_relu"
    HARD_SIGMOID = "hard_sigmoid"
    SCALED_TANH = "scaled_tanh"


MEANINGS: Mapping[Gate, Callable[[Array, float, float], Array]] = {
    Gate.SIGMOID: lambda z, a, b: 1 / (1 + np.exp(-z)),
    Gate.TANH: lambda z, a, b: np.tanh(z),
    Gate.RELU: lambda z, a, b: np.maximum(z, 0),
    Gate.SOFTSIGN: lambda z, a, b: z / (1 + np.abs(z)),
    Gate.AFFINE: lambda z, a, b: a * z + b,
    Gate.LEAKY_RELU: lambda z, a, b: np.where(z < 0, a * z, z),
    Gate.HARD_SIGMOID: lambda z, a, b: np.clip(a * z + b, 0, 1),
    Gate.SCALED_TANH: lambda z, a, b: a * np.tanh(b * z),
}

DEFAULTS: Mapping[Gate, tuple[float, float]] = {
    Gate.AFFINE: (1.0, 0.0),
    Gate.LEAKY_RELU: (0.01, 0.0),
    Gate.HARD_SIGMOID: (0.2, 0.5),
    Gate.SCALED_TANH: (1.0, 1.0),
}
"""a and b of functions that have parameters, where nobody says them."""


class Steps(Op):
    """What recurrent layers have in common, on floats and on integers."""

    gates: ClassVar[int]
    """Blocks of `hidden` rows that the weights have."""
    usual: ClassVar[tuple[Gate, ...]]
    """The activations where nobody says other ones."""

    x: Value
    w: Value
    r: Value
    b: Value
    h: Value | None
    functions: tuple[Gate, ...]
    reverse: bool
    every: bool

    @property
    def hidden(self) -> int:
        """Elements of the hidden state."""
        return self.r.shape[1]

    def check_shapes(self) -> None:
        """Raises `IRError` where operands do not fit each other."""
        x, w, r = self.x, self.w, self.r
        if x.type.rank != 3 or w.type.rank != 2 or r.type.rank != 2 or 0 in (*x.shape, *w.shape, *r.shape):
            raise IRError(f"takes [steps, batch, inputs] and two matrices, not {x.type}, {w.type} and {r.type}")
        rows = self.gates * self.hidden
        if w.shape != (rows, x.shape[2]) or r.shape[0] != rows:
            raise IRError(
                f"weights {w.type} and {r.type} are not {self.gates} times hidden rows of {x.shape[2]} inputs"
            )
        vector(rows, "bias", self.b)
        if self.h is not None and self.h.shape != (x.shape[1], self.hidden):
            raise IRError(f"the initial state {self.h.type} is not [batch, hidden], {[x.shape[1], self.hidden]}")
        if len(self.functions) != len(self.usual):
            raise IRError(f"has {len(self.usual)} activations, not {len(self.functions)}")

    def kept(self) -> int:
        """Entries of the result: one a step, or the last alone; and what a cell adds."""
        return self.x.shape[0] if self.every else 1

    def last(self) -> int:
        """The entry of the result that the last step computes."""
        return 0 if self.reverse or not self.every else self.x.shape[0] - 1

    def of_last(self: RecurrentT) -> RecurrentT:
        """The same, of which the last step alone is kept."""
        return dataclasses.replace(self, **cast("Any", {"every": False}))

    def order(self) -> range:
        """The entries of the operand, in the order of steps."""
        steps = range(self.x.shape[0])
        return steps[::-1] if self.reverse else steps

    def placed(self, found: list[Array]) -> list[Array]:
        """Hidden states of the steps as the result has them."""
        return found[:: -1 if self.reverse else 1] if self.every else found[-1:]

    def macs(self) -> int:
        steps, batch, inputs = self.x.shape
        return steps * batch * self.gates * self.hidden * (inputs + self.hidden)

    def runs_whole(self) -> bool:
        return True


@dataclass(frozen=True)
class Recurrent(Steps):
    """Base of recurrent layers in float."""

    x: Value
    w: Value
    r: Value
    b: Value
    h: Value | None = None
    functions: tuple[Gate, ...] = ()
    alpha: tuple[float, ...] = ()
    beta: tuple[float, ...] = ()
    clip: float = NO_CLIP
    reverse: bool = False
    every: bool = True

    @classmethod
    def sample(cls, draw: Draw) -> Recurrent:
        steps, batch, inputs, hidden = draw.integer(1, 5), draw.choice([1, 1, 2]), *draw.pair(1, 6)
        x = draw.pick(
            lambda v: v.dtype.is_float and v.type.rank == 3 and max(v.shape) < 10,
            TensorType((steps, batch, inputs), DType.F32),
        )
        rows = cls.gates * hidden
        w, r, b = (draw.weights(s) for s in ((rows, x.shape[2]), (rows, hidden), (rows,)))
        functions = cls.usual
        if draw.chance(0.3):
            functions = tuple(draw.choice(list(Gate)) for _ in functions)
        named: dict[str, Any] = {
            "functions": functions,
            "alpha": tuple(DEFAULTS.get(f, (0.0, 0.0))[0] for f in functions),
            "beta": tuple(DEFAULTS.get(f, (0.0, 0.0))[1] for f in functions),
            "clip": draw.choice([NO_CLIP, NO_CLIP, 0.7]),
            "h": draw.weights((x.shape[1], hidden)) if draw.chance(0.3) else None,
            "reverse": draw.chance(0.3),
            "every": draw.chance(0.7),
            **cls.more(draw, x.shape[1], hidden),
        }
        return cast("Recurrent", cast("Any", cls)(x, w, r, b, **named))

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        """Random fields that this kind alone has."""
        return {}

    def infer(self) -> TensorType:
        for value in self.operands:
            if not value.dtype.is_float:
                raise IRError(f"takes floating point, not {value} of {value.type}")
        self.check_shapes()
        if not len(self.functions) == len(self.alpha) == len(self.beta):
            raise IRError(f"{len(self.functions)} activations have as many parameters alpha and beta")
        if not self.clip > 0:
            raise IRError(f"clips to a positive number, not {self.clip}")
        return TensorType((self.kept(), self.x.shape[1], self.hidden), self.x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        x, w, r, b = (o.astype(np.float64) for o in operands[:4])
        h, *more = (None if o is None else o.astype(np.float64) for o in cast("list[Array | None]", operands[4:]))
        state = np.zeros((x.shape[1], self.hidden)) if h is None else h
        with np.errstate(all="ignore"):
            return np.stack(self.steps(x, w, r, b, state, *more)).astype(operands[0].dtype)

    def steps(self, x: Array, w: Array, r: Array, b: Array, h: Array, *more: Array | None) -> list[Array]:
        """The entries of the result, in float64."""
        raise NotImplementedError

    def active(self, number: int, z: Array) -> Array:
        """Activation `number` of a sum, which is clipped first."""
        meaning = MEANINGS[self.functions[number]]
        return np.asarray(meaning(np.clip(z, -self.clip, self.clip), self.alpha[number], self.beta[number]))

    def state_words(self) -> int:
        """32-bit words that the kernel keeps from step to step, or for a step, beside the result."""
        return self.hidden

    def working_bytes(self) -> int:
        return 4 * self.state_words()

    def quantised(self) -> IntegerForm | StaysFloat:
        return IntegerForm(Form.RECURRENT, (self.x,), self.operands[1:])


@dataclass(frozen=True)
class Rnn(Recurrent, mnemonic="rnn", accuracy=Accuracy.SUM, steep=True):
    """A plain recurrent layer: h' = f(x w + h r + b), for each entry of x; the result has every h' or the last."""

    gates: ClassVar[int] = 1
    usual: ClassVar[tuple[Gate, ...]] = (Gate.TANH,)

    def steps(self, x: Array, w: Array, r: Array, b: Array, h: Array, *more: Array | None) -> list[Array]:
        found = []
        for t in self.order():
            h = self.active(0, x[t] @ w.T + h @ r.T + b)
            found.append(h)
        return self.placed(found)


@dataclass(frozen=True)
class Gru(Recurrent, mnemonic="gru", accuracy=Accuracy.SUM, steep=True):
    """A gated recurrent unit: h' = (1 - z) * n + z * h, with gates in the order z, r, n.

    z and r are f(x w + h r + b). With `after`, n = g(x w + r * (h r + rb) + b); without, n = g(x w + (r * h) r + b).
    """

    gates: ClassVar[int] = 3
    usual: ClassVar[tuple[Gate, ...]] = (Gate.SIGMOID, Gate.TANH)

    rb: Value | None = None
    after: bool = False

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        after = draw.chance(0.5)
        return {"after": after, "rb": draw.weights((hidden,)) if after and draw.chance(0.7) else None}

    def infer(self) -> TensorType:
        found = super().infer()
        check_reset(self.rb, self.after, self.hidden)
        return found

    def steps(self, x: Array, w: Array, r: Array, b: Array, h: Array, *more: Array | None) -> list[Array]:
        n, inner = self.hidden, 0.0 if more[0] is None else more[0]
        found = []
        for t in self.order():
            read = x[t] @ w.T + b
            both = self.active(0, read[:, : 2 * n] + h @ r[: 2 * n].T)
            update, reset = both[:, :n], both[:, n:]
            recalled = reset * (h @ r[2 * n :].T + inner) if self.after else (reset * h) @ r[2 * n :].T
            h = (1 - update) * self.active(1, read[:, 2 * n :] + recalled) + update * h
            found.append(h)
        return self.placed(found)

    def state_words(self) -> int:
        return self.hidden * (1 if self.after else 3)


@dataclass(frozen=True)
class Lstm(Recurrent, mnemonic="lstm", accuracy=Accuracy.SUM, steep=True):
    """A long short-term memory: c' = f * c + i * g and h' = o * k(c'), with gates in the order i, o, f, g.

    Gates are functions of x w + h r + b; with peepholes `p` (i, o, f), i and f see c too, and o sees c'. With
    `coupled`, f = 1 - i. With `cell`, the last c' is one more entry behind those of h'.
    """

    gates: ClassVar[int] = 4
    usual: ClassVar[tuple[Gate, ...]] = (Gate.SIGMOID, Gate.TANH, Gate.TANH)

    c: Value | None = None
    p: Value | None = None
    coupled: bool = False
    cell: bool = False

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        return {
            "c": draw.weights((batch, hidden)) if draw.chance(0.3) else None,
            "p": draw.weights((3 * hidden,)) if draw.chance(0.3) else None,
            "coupled": draw.chance(0.2),
            "cell": draw.chance(0.3),
        }

    def infer(self) -> TensorType:
        found = super().infer()
        check_cell(self.c, self.p, self.x.shape[1], self.hidden)
        return found

    def kept(self) -> int:
        return super().kept() + self.cell

    def steps(self, x: Array, w: Array, r: Array, b: Array, h: Array, *more: Array | None) -> list[Array]:
        n, c, p = self.hidden, more[0], more[1]
        c = np.zeros_like(h) if c is None else c
        p = np.zeros(3 * n) if p is None else p
        found = []
        for t in self.order():
            total = x[t] @ w.T + h @ r.T + b
            i, o, f, g = (total[:, k * n : (k + 1) * n] for k in range(4))
            enter = self.active(0, i + p[:n] * c)
            keep = 1 - enter if self.coupled else self.active(0, f + p[2 * n :] * c)
            c = keep * c + enter * self.active(1, g)
            h = self.active(0, o + p[n : 2 * n] * c) * self.shown(c)
            found.append(h)
        return self.placed(found) + ([c] if self.cell else [])

    def shown(self, c: Array) -> Array:
        """What the hidden state is of the cell, which nothing clips."""
        return np.asarray(MEANINGS[self.functions[2]](c, self.alpha[2], self.beta[2]))

    def state_words(self) -> int:
        return 2 * self.hidden

    def quantised(self) -> IntegerForm | StaysFloat:
        if self.cell:
            return StaysFloat("its cell state is a result, too, and that has no int8 scale of its own")
        return super().quantised()


def vector(length: int, what: str, value: Value | None) -> None:
    """Raises `IRError` unless a value, if there is one, is a vector of this length."""
    if value is not None and value.shape != (length,):
        raise IRError(f"the {what} {value.type} has not {length} entries")


def check_reset(rb: Value | None, after: bool, hidden: int) -> None:
    """Raises `IRError` where the bias that the reset gate scales does not fit."""
    vector(hidden, "bias inside the reset gate", rb)
    if rb is not None and not after:
        raise IRError("a bias inside the reset gate is for a gate behind the product (`after`)")


def check_cell(c: Value | None, p: Value | None, batch: int, hidden: int) -> None:
    """Raises `IRError` where initial cell state or peepholes do not fit."""
    vector(3 * hidden, "peepholes", p)
    if c is not None and c.shape != (batch, hidden):
        raise IRError(f"the initial cell state {c.type} is not [batch, hidden], {[batch, hidden]}")
