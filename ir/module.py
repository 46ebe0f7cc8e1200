"""The tensor level: a module is an immutable list of named equations in SSA form.

    module = inputs, then nodes `%name = op(operands)`, then outputs

A pass never changes a module, it makes another one. Values carry their types; who produces and who uses a value is
derived (`producer`, `users`), so it can never be stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic

from tinyc.ir.constant import Constant
from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, OpT, Value
from tinyc.ir.spelling import format_op, quoted, string
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import TensorType


@dataclass(frozen=True)
class Node:
    """An equation: `result = op`. `loc` says where it came from: names of ONNX nodes, joined by `+` when merged."""

    result: Value
    op: Op
    loc: str = ""

    @property
    def where(self) -> str:
        """What errors call this node."""
        return f"{self.op.mnemonic} {self.result}" + (f" (from {self.loc})" if self.loc else "")


@dataclass(frozen=True)
class Made(Generic[OpT]):
    """A node whose operator is known to be of a class."""

    node: Node
    op: OpT

    @property
    def result(self) -> Value:
        """The value that the node computes."""
        return self.node.result

    @property
    def where(self) -> str:
        """What errors call the node."""
        return self.node.where


def made(node: Node | None, kind: type[OpT]) -> Made[OpT] | None:
    """A node as one of an operator class, or of a base that several have in common; None if it is none.

    This is how patterns are matched: the one place that asks for an operator's class.
    """
    return Made(node, node.op) if node is not None and isinstance(node.op, kind) else None


@dataclass(frozen=True)
class Module:
    """A network: inputs, equations in an order where operands come before uses, and outputs."""

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]

    @cached_property
    def producer(self) -> Mapping[Value, Node]:
        """The node that computes each value; inputs have none."""
        return {node.result: node for node in self.nodes}

    @cached_property
    def users(self) -> Mapping[Value, tuple[Node, ...]]:
        """The nodes that use each value, in order, each once; being an output is not a use."""
        found: dict[Value, list[Node]] = {v: [] for v in (*self.inputs, *(n.result for n in self.nodes))}
        for node in self.nodes:
            for value in dict.fromkeys(node.op.operands):
                found[value].append(node)
        return {value: tuple(nodes) for value, nodes in found.items()}

    def taken_once(self, value: Value) -> bool:
        """Whether one operator takes a value, and nobody else: it is no output."""
        return len(self.users[value]) == 1 and value not in self.outputs

    def constant(self, value: Value | None) -> Array | None:
        """The array of a value that a `constant` produces, else None."""
        node = self.producer.get(value) if value is not None else None
        return node.op.constant() if node is not None else None

    def made(self, value: Value | None, kind: type[OpT]) -> Made[OpT] | None:
        """The node that computes a value, if its operator is of a class."""
        return made(self.producer.get(value), kind) if value is not None else None

    def made_by(self, kind: type[OpT]) -> Iterator[Made[OpT]]:
        """The nodes whose operators are of a class, in order."""
        return (found for node in self.nodes if (found := made(node, kind)) is not None)

    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(node.op.macs() for node in self.nodes)

    def constants(self) -> Iterator[tuple[Value, Tensor]]:
        """The constants, in order."""
        for found in self.made_by(Constant):
            yield found.result, found.op.data

    def __str__(self) -> str:
        return format_module(self).text


@dataclass(frozen=True)
class PrintedModule:
    """A printed module: its text, and the arrays the text names."""

    text: str
    data: Mapping[str, Array]


def format_module(module: Module) -> PrintedModule:
    """The text form of a module."""
    data: dict[str, Array] = {}
    lines = [f"module {quoted('@', module.name)} {{"]
    lines += [f"  input {quoted('%', v.name)}: {v.type}" for v in module.inputs]
    for node in module.nodes:
        loc = f" loc({string(node.loc)})" if node.loc else ""
        op = format_op(node.op, data, node.result.name)
        lines.append(f"  {quoted('%', node.result.name)} = {op} : {node.result.type}{loc}")
    lines.append("  return " + ", ".join(quoted("%", v.name) for v in module.outputs))
    lines.append("}")
    return PrintedModule("\n".join(lines) + "\n", data)


class Builder:
    """Makes a module node by node, keeping names unique.

    b = Builder("net")
    x = b.input("x", TensorType((1, 4), DType.F32))
    m = b.build([b.add(Clamp(x, min=0.0))])
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._inputs: list[Value] = []
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._counters: dict[str, int] = {}
        self._producer: dict[Value, Node] = {}

    @classmethod
    def within(cls, module: Module) -> Builder:
        """One that makes nodes for a module: none is called like anything in it."""
        builder = cls(module.name)
        builder._names.update(v.name for v in (*module.inputs, *(n.result for n in module.nodes)))
        return builder

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes so far."""
        return tuple(self._nodes)

    def fresh(self, hint: str) -> str:
        """A name not yet used: the hint, or the hint with a number."""
        name = hint
        while name in self._names:
            self._counters[hint] = self._counters.get(hint, 0) + 1
            name = f"{hint}_{self._counters[hint]}"
        self._names.add(name)
        return name

    def input(self, name: str, type: TensorType) -> Value:
        """Adds an input."""
        value = Value(self.fresh(name), type)
        self._inputs.append(value)
        return value

    def add(self, op: Op, name: str = "", loc: str = "") -> Value:
        """Adds a node and returns its result; the name defaults to the operator's mnemonic."""
        value = Value(self.fresh(name or op.mnemonic), op.type)
        self.put(Node(value, op, loc))
        return value

    def put(self, node: Node) -> None:
        """Adds a node whose result has its name already."""
        self._nodes.append(node)
        self._producer[node.result] = node

    def constant(self, data: object, name: str = "constant", loc: str = "") -> Value:
        """Adds a constant."""
        return self.add(Constant(data if isinstance(data, Tensor) else Tensor(data)), name, loc)  # type: ignore[arg-type]

    def node(self, value: Value) -> Node | None:
        """The node that produces a value added so far; None for inputs."""
        return self._producer.get(value)

    def build(self, outputs: Sequence[Value]) -> Module:
        """The module, verified."""
        module = Module(self._name, tuple(self._inputs), tuple(self._nodes), tuple(outputs))
        verify(module)
        return module


def verify(module: Module) -> None:
    """Checks what every module must satisfy: unique names, operands defined before use with the types they are used
    with, result types as inferred, outputs defined. Raises `IRError` naming the node."""
    _verify_structure(module)
    defined: dict[str, Value] = {}

    def define(value: Value, where: str) -> None:
        if value.name in defined:
            raise IRError(f"the name {value} is taken already", where)
        defined[value.name] = value

    def use(value: Value, where: str) -> None:
        known = defined.get(value.name)
        if known is None:
            raise IRError(f"{value} is used before it is defined", where)
        if known.type != value.type:
            raise IRError(f"{value} is {known.type}, used as {value.type}", where)

    for value in module.inputs:
        define(value, f"input {value}")
    for node in module.nodes:
        for value in node.op.operands:
            use(value, node.where)
        if node.result.type != node.op.type:
            raise IRError(f"has type {node.op.type}, declared {node.result.type}", node.where)
        define(node.result, node.where)
    if not module.outputs:
        raise IRError("a module has at least one output", f"module {module.name}")
    for value in module.outputs:
        use(value, f"output {value}")


def _verify_structure(module: Module) -> None:
    """Raises `IRError` where a module is made of something else than values and nodes: passes may be anybody's."""
    where = f"module {module.name}"
    for name, part, kind in (
        ("inputs", module.inputs, Value),
        ("nodes", module.nodes, Node),
        ("outputs", module.outputs, Value),
    ):
        if not isinstance(part, tuple):
            raise IRError(f"{name} is a tuple, not {type(part).__name__}", where)
        for item in part:
            if not isinstance(item, kind):
                raise IRError(f"{name} has {type(item).__name__} where {kind.__name__} belongs", where)
    for node in module.nodes:
        fields: tuple[tuple[object, type], ...] = ((node.result, Value), (node.op, Op), (node.loc, str))
        for field, wanted in fields:
            if not isinstance(field, wanted):
                raise IRError(f"a node has {type(field).__name__} where {wanted.__name__} belongs", where)


def remove_dead(module: Module) -> Module:
    """Drops nodes that no output needs."""
    live = set(module.outputs)
    kept: list[Node] = []
    for node in reversed(module.nodes):
        if node.result in live:
            kept.append(node)
            live.update(node.op.operands)
    if len(kept) == len(module.nodes):
        return module
    return Module(module.name, module.inputs, tuple(reversed(kept)), module.outputs)


def merge_locs(*locs: str) -> str:
    """The location of a node made from others: their distinct parts, in order."""
    parts = [part for loc in locs for part in loc.split("+") if part]
    return "+".join(dict.fromkeys(parts))
