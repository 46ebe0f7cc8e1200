"""Local rewriting: small rules on one pattern, driven to a fixed point.

A rule looks at one node and answers with `Replaced` (what computes its value instead), `Skip` (the pattern was there
but must not be rewritten, and why) or None (the pattern was not there). `on` keys a rule by an operator class or a base
that several have in common; `Rewriter.made` matches the operators before it. `tracing` listens to the answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps

from tinyc.ir.constant import Constant
from tinyc.ir.errors import IRError
from tinyc.ir.module import Made, Module, Node, made, merge_locs, remove_dead
from tinyc.ir.op import Op, OpT, Value, unused
from tinyc.ir.tensor import Array, Tensor


@dataclass(frozen=True)
class Replaced:
    """What computes the node's value instead: an operator of the same type, or an existing value of the same type.

    `absorbed` are the other nodes whose work the new operator does; their locations are merged into its own.
    """

    by: Op | Value
    absorbed: tuple[Node, ...] = ()
    label: str = ""
    """What was done, where the rule's own documentation does not say it."""


@dataclass(frozen=True)
class Skip:
    """The pattern is there, but rewriting it would be wrong or unwise."""

    reason: str
    label: str = ""
    """What was not done, as in `Replaced`."""


class Rewriter:
    """What a rule may ask and do while the module is rebuilt from first to last node."""

    def __init__(self, module: Module, reserved: Collection[str] = ()) -> None:
        self._module = module
        self._nodes: list[Node] = []
        self._producer: dict[Value, Node] = {}
        self._names = {v.name for v in module.inputs} | {n.result.name for n in module.nodes} | {*reserved}
        self._uses = Counter(v for n in module.nodes for v in n.op.operands) + Counter(module.outputs)
        self._loc = ""

    def producer(self, value: Value | None) -> Node | None:
        """The node that computes a value, as rewritten so far; None for inputs."""
        return self._producer.get(value) if value is not None else None

    def constant(self, value: Value | None) -> Array | None:
        """The array of a constant value, else None."""
        node = self.producer(value)
        return node.op.constant() if node is not None else None

    def made(self, value: Value | None, kind: type[OpT]) -> Made[OpT] | None:
        """The node that computes a value, if its operator is of a class."""
        return made(self.producer(value), kind)

    def uses(self, value: Value) -> int:
        """How many operands and module outputs refer to a value."""
        return self._uses[value]

    def users(self, value: Value) -> tuple[Node, ...]:
        """The nodes that used a value when this sweep began; none for values made since, or for outputs."""
        return self._module.users.get(value, ())

    def absorbable(self, value: Value, kind: type[OpT]) -> Made[OpT] | None:
        """The node that computes a value, if its operator is of a class and nothing else needs the value."""
        return self.made(value, kind) if self.uses(value) == 1 else None

    def add(self, op: Op, name: str = "") -> Value:
        """Adds a helper node before the current one and returns its result."""
        value = Value(unused(name or op.mnemonic, self._names), op.type)
        self._emit(Node(value, op, self._loc))
        self._uses.update(op.operands)
        return value

    def constant_value(self, array: Array, name: str) -> Value:
        """Adds a constant."""
        return self.add(Constant(Tensor(array)), name)

    def _emit(self, node: Node) -> None:
        self._nodes.append(node)
        self._names.add(node.result.name)
        self._producer[node.result] = node


Answer = Replaced | Skip | None
Rule = Callable[[Node, Rewriter], Answer]


def on(kind: type[OpT]) -> Callable[[Callable[[Made[OpT], Rewriter], Answer]], Rule]:
    """A decorator for a rule about operators of a class, or of a base that several have in common.

    Raises:
        TypeError: that is no class.
    """
    if not isinstance(kind, type):
        raise TypeError(f"`on` takes a class of operators, not {kind!r}")

    def keyed(rule: Callable[[Made[OpT], Rewriter], Answer]) -> Rule:
        @wraps(rule)
        def matched(node: Node, rewriter: Rewriter) -> Answer:
            found = made(node, kind)
            return rule(found, rewriter) if found is not None else None

        return matched

    return keyed


Trace = Callable[[str], None]

_TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)


@contextmanager
def tracing(callback: Trace) -> Iterator[None]:
    """Inside, `callback` is told, one line each and once, what passes replace and what they skip and why."""
    told: set[str] = set()

    def once(line: str) -> None:
        if line not in told:
            told.add(line)
            callback(line)

    token = _TRACE.set(once)
    try:
        yield
    finally:
        _TRACE.reset(token)


def tell(line: str) -> None:
    """Reports a decision to whoever is tracing."""
    trace = _TRACE.get()
    if trace is not None:
        trace(line)


def rewrite(module: Module, rules: Sequence[Rule], reserved: Collection[str] = ()) -> Module:
    """Applies rules until none applies; nodes left without use are dropped. The same module when nothing applied.

    Inputs and outputs keep their names: a rule is overruled where it would make an output the same value as an input
    or as another output.

    Args:
        module: the module to rewrite; unchanged.
        rules: tried in order on each node, operands first.
        reserved: names that no helper node gets, whether the module has them now or not.

    Raises:
        IRError: a rule replaced a node by something of another type, or the rules do not come to an end.
    """
    live = remove_dead(module)  # what nobody needs is no use of anything
    for sweep in range(1000):
        after = _sweep(live, rules, reserved)
        if after is live:
            return live if sweep else module
        live = remove_dead(after)
    raise IRError("rewriting does not come to an end", module.name)


def _sweep(module: Module, rules: Sequence[Rule], reserved: Collection[str]) -> Module:
    rewriter = Rewriter(module, reserved)
    mapping: dict[Value, Value] = {}
    taken = {*module.inputs, *module.outputs}
    changed = False
    for original in module.nodes:
        node = Node(original.result, original.op.replace_operands(mapping), original.loc)
        rewriter._loc = node.loc
        found = _first(node, rules, rewriter, taken)
        if found is None:
            rewriter._emit(node)
            continue
        changed = True
        type_ = found.by.type
        if type_ != node.result.type:
            raise IRError(f"a rule replaced {node.result.type} by {type_}", node.where)
        rewriter._uses.subtract(node.op.operands)
        if isinstance(found.by, Value):
            mapping[node.result] = found.by
            rewriter._uses[found.by] += rewriter._uses[node.result]
            if node.result in taken:
                taken.add(found.by)
        else:
            rewriter._uses.update(found.by.operands)
            locs = (*(n.loc for n in found.absorbed), node.loc)
            rewriter._emit(Node(node.result, found.by, merge_locs(*locs)))
    if not changed:
        return module
    outputs = tuple(mapping.get(v, v) for v in module.outputs)
    after = Module(module.name, module.inputs, tuple(rewriter._nodes), outputs)
    return rename(after, {now: was for was, now in zip(module.outputs, outputs, strict=True) if was != now})


def _first(node: Node, rules: Sequence[Rule], rewriter: Rewriter, taken: set[Value]) -> Replaced | None:
    for rule in rules:
        answer = rule(node, rewriter)
        if answer is None:
            continue
        given: object = answer.by if isinstance(answer, Replaced) else answer
        if not isinstance(given, Value | Op | Skip):
            wanted = "a rule gives Replaced by an operator or a value, Skip, or None"
            raise IRError(f"the rule '{label_of(rule)}' gave {type(given).__name__}; {wanted}", node.where)
        if isinstance(answer, Replaced) and isinstance(answer.by, Value) and {node.result, answer.by} <= taken:
            answer = Skip("an output has a value of its own")
        label = answer.label or label_of(rule)
        if isinstance(answer, Replaced):
            tell(f"{node.where}: {label}")
            return answer
        tell(f"{node.where}: not '{label}': {answer.reason}")
    return None


def label_of(rule: Callable[..., object]) -> str:
    """What a rule does, in one line: the first of its documentation."""
    return (rule.__doc__ or rule.__name__).strip().split("\n")[0].rstrip(".")


def rename(module: Module, names: Mapping[Value, Value]) -> Module:
    """The module with values renamed, where they are computed and wherever they are used."""
    if not names:
        return module
    nodes = (Node(names.get(n.result, n.result), n.op.replace_operands(names), n.loc) for n in module.nodes)
    return Module(module.name, module.inputs, tuple(nodes), tuple(names.get(v, v) for v in module.outputs))
