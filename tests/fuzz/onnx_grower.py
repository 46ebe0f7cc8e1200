"""An ONNX model under way: its tensors, and the choices that random operators share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tinyc.ir.tensor import Array

LARGEST = 1500
"""Elements of a value, at most."""
Shape = tuple[int, ...]


class GiveUp(Exception):
    """What a maker chose does not fit together."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the model under way."""

    name: str
    shape: Shape

    @property
    def rank(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)


@dataclass
class Grower:
    """A model under way.

    Attributes:
        random: where choices come from.
        batch: whether every input begins with a dimension of 1, as calibration data need.
        late: how much likelier later values are picked: 2 for a bush of operators, more for a chain.
    """

    random: Random
    batch: bool = False
    late: int = 2
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    values: list[Tensor] = field(default_factory=list)
    names: int = 0

    def chance(self, probability: float) -> bool:
        """Whether something that is as likely as this happens."""
        return self.random.random() < probability

    def fresh(self, hint: str) -> str:
        """A new name."""
        self.names += 1
        return f"{hint}{self.names}"

    def array(self, shape: Shape, scale: float = 1.0) -> Array:
        """Normally distributed numbers."""
        rng = np.random.default_rng(self.random.getrandbits(32))
        return np.asarray(rng.standard_normal(shape) * scale, np.float32)

    def constant(self, array: Array, hint: str = "c") -> str:
        """Adds an initializer."""
        name = self.fresh(hint)
        self.constants[name] = array
        return name

    def input(self, shape: Shape, kind: int = TensorProto.FLOAT) -> Tensor:
        """Adds an input."""
        if self.batch and shape[:1] != (1,):
            raise GiveUp
        tensor = Tensor(self.fresh("x"), shape)
        self.inputs.append(helper.make_tensor_value_info(tensor.name, kind, shape))
        return tensor

    def node(self, op: str, operands: Sequence[str], shape: Sequence[int], **attributes: Any) -> Tensor:
        """Adds an operator, whose result has this shape."""
        found = tuple(int(n) for n in shape)
        if math.prod(found) > LARGEST or len(found) > 5 or 0 in found:
            raise GiveUp
        tensor = Tensor(self.fresh(op.lower()), found)
        self.nodes.append(helper.make_node(op, list(operands), [tensor.name], name=f"n{self.names}", **attributes))
        self.values.append(tensor)
        return tensor

    def pick(self, fits: Callable[[Tensor], bool] = lambda _: True) -> Tensor:
        """A value there is, the later the likelier."""
        found = [v for v in self.values if fits(v)]
        if not found:
            raise GiveUp
        return found[max(self.random.randrange(len(found)) for _ in range(self.late))]

    def shape(self) -> Shape:
        """A shape of rank 1 to 5, now and then with dimensions of 1; mostly an image."""
        rank = self.random.choice([1, 2, 3, 3, 4, 4, 4, 4, 5])
        largest = {4: (2, 5, 12, 8), 5: (3, 3, 3, 3, 3)}.get(rank, (9,) * rank)
        shape = tuple(self.random.choice([1, *range(1, n + 1)]) for n in largest)
        one = self.batch or (rank == 4 and self.chance(0.85))
        return (1, *shape[1:]) if one else shape

    def masked(self, shape: Shape) -> Shape:
        """A shape that broadcasts to another: any of its last dimensions, any of them 1."""
        rank = self.random.randint(0, len(shape))
        keep = self.random.choice([0.3, 0.6, 1.0])
        return tuple(n if self.chance(keep) else 1 for n in shape[len(shape) - rank :])

    def partner(self, x: Tensor) -> str:
        """What is broadcast with a value: a constant, an input or another value, smaller or larger."""
        kind = self.random.randrange(10)
        found = [v for v in self.values if joint(v.shape, x.shape) is not None]
        if kind < 4 and found:
            return self.random.choice(found).name
        shape = self.masked(x.shape)
        if kind == 4:
            # Both are repeated: along a dimension of 1 of x, and along the others of the partner.
            wide = [self.random.randint(2, 4) if n == 1 and self.chance(0.5) else n for n in x.shape]
            shape = tuple(n if self.chance(0.5) or x.shape[d] == 1 else 1 for d, n in enumerate(wide))
        if kind == 5 and not (self.batch and shape[:1] != (1,)):
            return self.input(shape).name
        return self.constant(self.array(shape))

    def shape_of(self, name: str) -> Shape:
        """The shape of a value, a constant or an input."""
        known = {v.name: v.shape for v in self.values}
        if name in known:
            return known[name]
        if name in self.constants:
            return tuple(self.constants[name].shape)
        info = next(i for i in self.inputs if i.name == name)
        return tuple(d.dim_value for d in info.type.tensor_type.shape.dim)

    def broadcast(self, *names: str) -> Shape:
        """The shape that these broadcast to."""
        shape: Shape | None = ()
        for name in names:
            shape = joint(shape, self.shape_of(name)) if shape is not None else None
        if shape is None:
            raise GiveUp
        return shape


def joint(a: Shape, b: Shape) -> Shape | None:
    """The shape that two broadcast to."""
    try:
        return tuple(int(n) for n in np.broadcast_shapes(a, b))
    except ValueError:
        return None
