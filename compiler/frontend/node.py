"""One ONNX node as a handler sees it: resolved operands and checked attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import AttributeProto, helper, numpy_helper

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.ir import Value
from tinyc.ir.tensor import Array


@dataclass
class Scope:
    """The tensors a graph, a function body or a branch can name. A None is a tensor nobody can use, and `why`."""

    values: dict[str, Value | None] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    outer: Scope | None = None

    def find(self, name: str) -> Value | None:
        """The value called `name` here or further out; None when there is none. Raises `FrontendError` for a known
        tensor that tinyc does not compute."""
        if name in self.values:
            value = self.values[name]
            if value is None:
                raise FrontendError(self.why.get(name, f'tensor "{name}" is not available'))
            return value
        return self.outer.find(name) if self.outer is not None else None


@dataclass(frozen=True)
class OnnxNode:
    """A node. `operands` has an entry an input, None where the input is left out; `loc` names it in errors."""

    proto: onnx.NodeProto
    loc: str
    opset: int
    operands: tuple[Value | None, ...]
    attributes: Mapping[str, AttributeProto]
    scope: Scope

    @property
    def where(self) -> str:
        """What errors call the node."""
        return f"node {self.loc} ({operator_name(self.proto)})"

    def error(self, message: str) -> FrontendError:
        """The error to raise about this node."""
        return FrontendError(f"{self.where}: {message}")

    def operand(self, index: int) -> Value:
        """A required operand."""
        value = self.optional(index)
        if value is None:
            raise self.error(f"input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        """An operand that may be left out."""
        return self.operands[index] if index < len(self.operands) else None

    def required(self) -> tuple[Value, ...]:
        """All operands of a variadic operator. Raises `FrontendError` when there are none."""
        if not self.operands:
            raise self.error("has no inputs")
        return tuple(self.operand(k) for k in range(len(self.operands)))

    def uses_output(self, index: int) -> bool:
        """Whether the node names its output `index`."""
        return index < len(self.proto.output) and bool(self.proto.output[index])

    def has(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self.attributes

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute."""
        return int(self._read(name, AttributeProto.INT, default))

    def number(self, name: str, default: float | None = None) -> float:
        """A float attribute."""
        return float(self._read(name, AttributeProto.FLOAT, default))

    def text(self, name: str, default: str | None = None) -> str:
        """A string attribute."""
        value = self._read(name, AttributeProto.STRING, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """A list of integers."""
        return tuple(int(v) for v in self._read(name, AttributeProto.INTS, default))

    def numbers(self, name: str, default: Sequence[float] | None = None) -> tuple[float, ...]:
        """A list of floats."""
        return tuple(float(v) for v in self._read(name, AttributeProto.FLOATS, default))

    def texts(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of strings."""
        values = self._read(name, AttributeProto.STRINGS, default)
        return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values)

    def tensor(self, name: str) -> Array:
        """A tensor attribute."""
        return numpy_helper.to_array(self._read(name, AttributeProto.TENSOR, None))

    def graph(self, name: str) -> onnx.GraphProto:
        """A graph attribute (the body of a branch)."""
        graph: onnx.GraphProto = self._read(name, AttributeProto.GRAPH, None)
        return graph

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """A string attribute with known values. Raises `FrontendError` for another value."""
        value = self.text(name, default)
        if value not in allowed:
            raise self.error(f'{name} "{value}" is not supported (supported: {", ".join(allowed)})')
        return value

    def refuse(self, name: str, default: int = 0) -> None:
        """Raises `FrontendError` when an integer attribute has another value than `default`."""
        if self.integer(name, default) != default:
            raise self.error(f"{name} = {self.integer(name)} is not supported (only {default})")

    def axis(self, axis: int, rank: int, what: str = "axis") -> int:
        """An axis counted from the front. Raises `FrontendError` when there is no such axis."""
        if not -rank <= axis < rank:
            raise self.error(f"{what} {axis} does not exist in a tensor of {rank} dimensions")
        return axis % rank if rank else 0

    def axes(self, axes: Sequence[int], rank: int) -> tuple[int, ...]:
        """Axes counted from the front, ascending. Raises `FrontendError` on a wrong or repeated one."""
        found = sorted(self.axis(a, rank) for a in axes)
        if len(set(found)) != len(found):
            raise self.error(f"axes {list(axes)} name a dimension twice")
        return tuple(found)

    def _read(self, name: str, kind: int, default: Any) -> Any:
        attribute = self.attributes.get(name)
        if attribute is None:
            if default is None:
                raise self.error(f"attribute {name} is missing")
            return default
        if attribute.type != kind:
            have = AttributeProto.AttributeType.Name(attribute.type)
            want = AttributeProto.AttributeType.Name(kind)
            raise self.error(f"attribute {name} is of kind {have}, not {want}")
        return helper.get_attribute_value(attribute)


def node_loc(proto: onnx.NodeProto, index: int) -> str:
    """What locations call a node: its name, or its operator and its place in the graph."""
    return str(proto.name) or f"{proto.op_type}_{index}"


def operator_name(proto: onnx.NodeProto) -> str:
    """The operator with its domain, where that is not ONNX's own."""
    domain = normal_domain(proto.domain)
    name = str(proto.op_type) or "(none)"
    return f"{domain}:{name}" if domain else name


def normal_domain(domain: str) -> str:
    """ONNX's own domain has two spellings; this is the short one."""
    return "" if domain == "ai.onnx" else domain
