"""Recurrent layers in float: each is one operator, whatever the number of its steps.

Operands are [steps, batch, inputs], weights [gates * hidden, inputs] and [gates * hidden, hidden], as ONNX has them for
one direction. Of a `signal`, [1, steps, inputs], each step is a row, and the state goes from row to row.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.gates import DEFAULTS, MEANINGS, Gate
from tinyc.ir.op import Accuracy, Form, IntegerForm, OfRows, RowForm, StaysFloat, Value, Window
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

RecurrentT = TypeVar("RecurrentT", bound="Steps")
State = tuple[Array, Array]
"""A hidden state and a cell, which is anything for layers that have none."""
Operands = Mapping[str, Array]
"""Those that are given, by name, in float64."""
Limits = tuple[float, float]
NO_LIMITS: Limits = (-math.inf, math.inf)
NO_CLIP = math.inf


class Steps(OfRows):
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
    signal: bool

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Steps, batch and inputs."""
        one, other, inputs = self.x.shape
        return (other, one, inputs) if self.signal else (one, other, inputs)

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
        steps, batch, _ = self.sizes
        if self.h is not None and self.h.shape != (batch, self.hidden):
            raise IRError(f"the initial state {self.h.type} is not [batch, hidden], {[batch, self.hidden]}")
        if self.signal and (batch != 1 or self.reverse or self.kept() != steps):
            raise IRError("takes a signal [1, steps, inputs] from its first step to its last, and keeps each state")
        if len(self.functions) != len(self.usual):
            raise IRError(f"has {len(self.usual)} activations, not {len(self.functions)}")

    def own_operands(self) -> dict[str, Value | None]:
        """The operands, behind all others, that this kind of layer alone has, by name."""
        return {}

    def own_flags(self) -> dict[str, bool]:
        """How gates of this kind of layer belong together, by name."""
        return {}

    def together(self) -> int:
        """Gates, the first ones, whose sums wait for no other gate."""
        return self.gates

    def scaled(self) -> int:
        """Gates, the last ones, for which another gate scales the products of the hidden state, and a bias `rb`."""
        return 0

    def kept(self) -> int:
        """Entries of the result: one a step, or the last alone; and what a cell adds."""
        return self.sizes[0] if self.every else 1

    def last(self) -> int:
        """The entry of the result that the last step computes."""
        return 0 if self.reverse or not self.every else self.sizes[0] - 1

    def of_last(self: RecurrentT) -> RecurrentT:
        """The same, of which the last step alone is kept."""
        return dataclasses.replace(self, **cast("Any", {"every": False}))

    def order(self) -> range:
        """The entries of the operand, in the order of steps."""
        steps = range(self.sizes[0])
        return steps[::-1] if self.reverse else steps

    def placed(self, found: list[Array]) -> list[Array]:
        """Hidden states of the steps as the result has them."""
        return found[:: -1 if self.reverse else 1] if self.every else found[-1:]

    def shape(self) -> tuple[int, int, int]:
        """The result's."""
        batch, kept = self.sizes[1], self.kept()
        return (batch, kept, self.hidden) if self.signal else (kept, batch, self.hidden)

    def turned(self, array: Array) -> Array:
        """An operand, or a result, with its steps first; and back."""
        return array.swapaxes(0, 1) if self.signal else array

    def row_form(self) -> RowForm | None:
        return RowForm((Window(), *(None for _ in self.operands[1:]))) if self.signal else None

    def carries(self) -> bool:
        return self.signal

    def macs(self) -> int:
        steps, batch, inputs = self.sizes
        return steps * batch * self.gates * self.hidden * (inputs + self.hidden)

    def runs_whole(self) -> bool:
        return True


class PlainSteps(Steps):
    """A layer of one gate, which is the hidden state."""

    gates: ClassVar[int] = 1
    usual: ClassVar[tuple[Gate, ...]] = (Gate.TANH,)


@dataclass(frozen=True)
class GatedSteps(Steps):
    """A layer whose gates z, r, n share its hidden state out."""

    gates: ClassVar[int] = 3
    usual: ClassVar[tuple[Gate, ...]] = (Gate.SIGMOID, Gate.TANH)

    rb: Value | None = None
    after: bool = False

    def check_shapes(self) -> None:
        super().check_shapes()
        vector(self.hidden, "bias inside the reset gate", self.rb)
        if self.rb is not None and not self.after:
            raise IRError("a bias inside the reset gate is for a gate behind the product (`after`)")

    def own_operands(self) -> dict[str, Value | None]:
        return {"rb": self.rb}

    def own_flags(self) -> dict[str, bool]:
        return {"after": self.after}

    def together(self) -> int:
        return self.gates if self.after else self.gates - 1

    def scaled(self) -> int:
        return int(self.after)


@dataclass(frozen=True)
class CellSteps(Steps):
    """A layer with a cell, and gates i, o, f, g around it."""

    gates: ClassVar[int] = 4
    usual: ClassVar[tuple[Gate, ...]] = (Gate.SIGMOID, Gate.TANH, Gate.TANH)

    c: Value | None = None
    p: Value | None = None
    coupled: bool = False

    def check_shapes(self) -> None:
        super().check_shapes()
        vector(3 * self.hidden, "peepholes", self.p)
        state = (self.sizes[1], self.hidden)
        if self.c is not None and self.c.shape != state:
            raise IRError(f"the initial cell state {self.c.type} is not [batch, hidden], {list(state)}")

    def own_operands(self) -> dict[str, Value | None]:
        return {"c": self.c, "p": self.p}

    def own_flags(self) -> dict[str, bool]:
        return {"coupled": self.coupled}


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
    signal: bool = False

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
        return TensorType(self.shape(), self.x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        given = self.given(operands)
        state, found = self.initial(given), []
        x = self.turned(given["x"])
        with np.errstate(all="ignore"):
            for t in self.order():
                state = self.step(given, x[t], state, state[0])
                found.append(state[0])
        return self.turned(np.stack([*self.placed(found), *self.shown_last(state)])).astype(operands[0].dtype)

    def advance(self, held: Array, operands: Sequence[Array], first: bool) -> Array:
        """The states lie in `held` as float32: that of one row is rounded before the next."""
        given = self.given(self.arguments(operands))
        words = held[: 8 * self.hidden].view(np.float32).reshape(-1, 1, self.hidden)
        states = self.initial(given) if first else (words[0].astype(np.float64), words[-1].astype(np.float64))
        with np.errstate(all="ignore"):
            states = self.step(given, self.turned(given["x"])[0], states, states[0])
        for number in reversed(range(len(words))):
            words[number] = states[number]
        return np.array(words[0]).reshape(1, 1, self.hidden)

    def initial(self, given: Operands) -> State:
        """The state before the first step."""
        nothing = np.zeros((self.sizes[1], self.hidden))
        return given.get("h", nothing), given.get("c", nothing)

    def given(self, operands: Sequence[Array | None]) -> Operands:
        """What `evaluate` is given, without operands that are absent."""
        names = ("x", "w", "r", "b", "h", *self.own_operands())
        return {name: o.astype(np.float64) for name, o in zip(names, operands, strict=True) if o is not None}

    def step(self, given: Operands, x: Array, state: State, near: Array, limits: Limits = NO_LIMITS) -> State:
        """The state after one step, in float64.

        Args:
            given: the operands.
            x: the operand's entry.
            state: the state before the step.
            near: its hidden state as products see it: the same, unless that is rounded.
            limits: what products see of a hidden state that a gate has scaled is within them.
        """
        raise NotImplementedError

    def shown_last(self, state: State) -> list[Array]:
        """The entries of the result behind those of hidden states, given the last state."""
        return []

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
class Rnn(PlainSteps, Recurrent, mnemonic="rnn", accuracy=Accuracy.SUM, steep=True):
    """A plain recurrent layer: h' = f(x w + h r + b), for each entry of x; the result has every h' or the last."""

    def step(self, given: Operands, x: Array, state: State, near: Array, limits: Limits = NO_LIMITS) -> State:
        return self.active(0, x @ given["w"].T + near @ given["r"].T + given["b"]), state[1]


@dataclass(frozen=True)
class Gru(GatedSteps, Recurrent, mnemonic="gru", accuracy=Accuracy.SUM, steep=True):
    """A gated recurrent unit: h' = (1 - z) * n + z * h, with gates in the order z, r, n.

    z and r are f(x w + h r + b). With `after`, n = g(x w + r * (h r + rb) + b); without, n = g(x w + (r * h) r + b).
    """

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        after = draw.chance(0.5)
        return {"after": after, "rb": draw.weights((hidden,)) if after and draw.chance(0.7) else None}

    def step(self, given: Operands, x: Array, state: State, near: Array, limits: Limits = NO_LIMITS) -> State:
        n, h, r = self.hidden, state[0], given["r"]
        read = x @ given["w"].T + given["b"]
        both = self.active(0, read[:, : 2 * n] + near @ r[: 2 * n].T)
        update, reset = both[:, :n], both[:, n:]
        if self.after:
            recalled = reset * (near @ r[2 * n :].T + given.get("rb", 0.0))
        else:
            recalled = np.clip(reset * h, *limits) @ r[2 * n :].T
        return (1 - update) * self.active(1, read[:, 2 * n :] + recalled) + update * h, state[1]

    def state_words(self) -> int:
        return self.hidden * (1 if self.after else 3)


@dataclass(frozen=True)
class Lstm(CellSteps, Recurrent, mnemonic="lstm", accuracy=Accuracy.SUM, steep=True):
    """A long short-term memory: c' = f * c + i * g and h' = o * k(c'), with gates in the order i, o, f, g.

    Gates are functions of x w + h r + b; with peepholes `p` (i, o, f), i and f see c too, and o sees c'. With
    `coupled`, f = 1 - i. With `cell`, the last c' is one more entry behind those of h'.
    """

    cell: bool = False

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        return {
            "c": draw.weights((batch, hidden)) if draw.chance(0.3) else None,
            "p": draw.weights((3 * hidden,)) if draw.chance(0.3) else None,
            "coupled": draw.chance(0.2),
            "cell": draw.chance(0.3),
        }

    def kept(self) -> int:
        return super().kept() + self.cell

    def step(self, given: Operands, x: Array, state: State, near: Array, limits: Limits = NO_LIMITS) -> State:
        n, c = self.hidden, state[1]
        p = given.get("p", np.zeros(3 * n))
        total = x @ given["w"].T + near @ given["r"].T + given["b"]
        i, o, f, g = (total[:, k * n : (k + 1) * n] for k in range(4))
        enter = self.active(0, i + p[:n] * c)
        keep = 1 - enter if self.coupled else self.active(0, f + p[2 * n :] * c)
        c = keep * c + enter * self.active(1, g)
        # Nothing clips what the hidden state is of the cell.
        shown = MEANINGS[self.functions[2]](c, self.alpha[2], self.beta[2])
        return self.active(0, o + p[n : 2 * n] * c) * shown, c

    def shown_last(self, state: State) -> list[Array]:
        return [state[1]] if self.cell else []

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
