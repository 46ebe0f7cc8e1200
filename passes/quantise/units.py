"""What of a float module is quantised, in units: operators that become one integer operator each.

Convolutions, dense and recurrent layers and matrix products are always quantised. Operators that do little arithmetic
follow their neighbours: between float operators they stay float, since rounding there would cost accuracy and save
nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Form, StaysFloat, Value
from tinyc.ir.ops import Elementwise
from tinyc.ir.types import DType
from tinyc.passes.core import norms, rectifiers
from tinyc.passes.core.base import PassError
from tinyc.passes.core.facts import scaled_by, uniform
from tinyc.passes.core.norms import Norm
from tinyc.passes.core.rectifiers import Rectifier

FOLLOWING = (Form.SHARING, Form.BINARY, Form.TABLE, Form.TOGETHER)
"""Forms that are quantised for what takes their results, too."""
BETWEEN = (Form.TABLE, Form.BINARY)
"""Forms of operators that compute element by element."""
INSIDE = (DType.F32, DType.BOOL)
"""Element types of a function of one tensor: a condition decides within it."""


@dataclass(frozen=True)
class Unit:
    """Operators that become one integer operator. `operands` enter quantised; the last node computes the result."""

    form: Form
    nodes: tuple[Node, ...]
    operands: tuple[Value, ...]
    wide: bool = True
    """Whether operands and result may be int16."""

    @property
    def result(self) -> Value:
        """The value that leaves quantised."""
        return self.nodes[-1].result


def find_units(module: Module, keep_float: Collection[str] = ()) -> list[Unit]:
    """The units of a module, in the order of their results.

    Args:
        module: a float module.
        keep_float: names of ONNX nodes whose operators stay float.

    Raises:
        PassError: there is no operator of such a name.
    """
    kept = named_results(module, keep_float, "be kept float")
    joint = _together(module, kept)
    chains = joint | _chains(module, kept | {n.result for unit in joint.values() for n in unit.nodes})
    chains |= {v: product for v, unit in chains.items() if (product := _product(module, unit, kept)) is not None}
    inside = {n.result for chain in chains.values() for n in chain.nodes}
    units = []
    for node in module.nodes:
        unit = chains.get(node.result)
        if unit is None and node.result not in inside and node.result not in kept:
            unit = _single(module, node)
        if unit is not None:
            units.append(unit)
    return _connected(module, units)


def parts(loc: str) -> list[str]:
    """The names of the ONNX nodes that a location is made of."""
    return [part for part in loc.split("+") if part]


def named_results(module: Module, names: Collection[str], what: str) -> set[Value]:
    """The results of the operators that come from ONNX nodes of these names, which are to `what`. Raises `PassError`
    for a name that none has."""
    known = dict.fromkeys(part for n in module.nodes for part in parts(n.loc) if n.op.operands)
    unknown = [name for name in names if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=5, cutoff=0.4)
        listed = ", ".join(near or list(known)[:20])
        raise PassError(
            f"no operator is called {unknown[0]!r}, so it cannot {what};"
            f" {'names like it are' if near else 'the names are'}: {listed}"
        )
    return {n.result for n in module.nodes if set(parts(n.loc)) & set(names)}


def _single(module: Module, node: Node) -> Unit | None:
    """The unit of one operator; None where it has no integer form by itself."""
    form = node.op.quantised()
    if isinstance(form, StaysFloat) or form.form is Form.TABLE:
        return None
    if any(v.dtype is not DType.F32 for v in (node.result, *form.operands, *form.constants)):
        return None
    if any(module.constant(v) is None for v in form.constants):
        return None
    if all(module.constant(v) is not None for v in form.operands):
        return None
    return Unit(form.form, (node,), form.operands, form.wide)


def _product(module: Module, unit: Unit, kept: Collection[Value]) -> Unit | None:
    """A matrix product and its factor, where a unit is but that: they are rounded once."""
    node, (x, *_) = unit.nodes[0], unit.operands
    product = module.producer.get(x)
    scaled = unit.form is Form.TABLE and len(unit.nodes) == 1 and scaled_by(node, module.producer.get) is not None
    if not scaled or product is None or x in kept or not module.taken_once(x):
        return None
    single = _single(module, product)
    return Unit(single.form, (product, node), single.operands) if single and single.form is Form.PRODUCT else None


def _together(module: Module, kept: Collection[Value]) -> dict[Value, Unit]:
    """Units of operators of one tensor that an integer operator computes together, by their results: nothing before the
    last is of use elsewhere."""
    found: dict[Value, Unit] = {}
    claimed = set(kept)
    for node in reversed(module.nodes):
        joint = _joint(module, node)
        if joint is None:
            continue
        inside = {n.result for n in joint.nodes}
        private = inside - {node.result}
        shared = any(v in module.outputs or any(u.result not in inside for u in module.users[v]) for v in private)
        if not shared and not inside & claimed and joint.x.dtype is DType.F32 and module.constant(joint.x) is None:
            nodes = tuple(n for n in module.nodes if n.result in inside)
            found[node.result] = Unit(Form.TOGETHER, nodes, (joint.x,))
            claimed |= inside
    return found


def _joint(module: Module, node: Node) -> Norm | Rectifier | None:
    """The norm or rectifier whose result a node computes, if there is one in integers."""
    norm = norms.norm_at(node, module.producer.get)
    if norm is not None:
        return None if norms.why_float(norm) else norm
    rectifier = rectifiers.rectifier_at(node, module.producer.get)
    return None if rectifier is None or rectifiers.why_float(rectifier) else rectifier


def _chains(module: Module, kept: Collection[Value]) -> dict[Value, Unit]:
    """Units of elementwise operators that compute a function of one tensor, by their results.

    Each is as long as it can be: what lies inside must be of no use outside.
    """
    origins: dict[Value, list[Value]] = {}
    for node in module.nodes:
        if node.result not in kept:
            found = _origins(module, node, origins)
            if found:
                origins[node.result] = found
    chains: dict[Value, Unit] = {}
    claimed: set[Value] = set()
    for node in reversed(module.nodes):
        if node.result in claimed or node.result.dtype is not DType.F32:
            continue
        for origin in reversed(origins.get(node.result, [])):
            nodes = _between(module, origin, node) if origin.dtype is DType.F32 else None
            if nodes is not None and not claimed.intersection(n.result for n in nodes):
                chains[node.result] = Unit(Form.TABLE, nodes, (origin,))
                claimed.update(n.result for n in nodes)
                break
    return chains


def _origins(module: Module, node: Node, known: dict[Value, list[Value]]) -> list[Value]:
    """The values of which this elementwise operator's result is a function, nearest first; empty when there is none."""
    found = made(node, Elementwise)
    if found is None or any(v.dtype not in INSIDE for v in (node.result, *node.op.operands)):
        return []
    varying = [v for v in node.op.operands if uniform(module.constant(v)) is None]
    if not varying or any(v.shape != node.result.shape or module.constant(v) is not None for v in varying):
        return []
    reach = [[v, *known.get(v, [])] for v in varying]
    return [v for v in reach[0] if all(v in others for others in reach[1:])]


def _between(module: Module, origin: Value, last: Node) -> tuple[Node, ...] | None:
    """The operators from a value to a node; None when one in between is needed elsewhere."""
    found: dict[Value, Node] = {}
    waiting = [last.result]
    while waiting:
        value = waiting.pop()
        node = module.producer.get(value)
        if value == origin or value in found or node is None or module.constant(value) is not None:
            continue
        found[value] = node
        waiting.extend(node.op.operands)
    for value, node in found.items():
        if node is not last and (value in module.outputs or any(u.result not in found for u in module.users[value])):
            return None
    return tuple(n for n in module.nodes if n.result in found)


def _connected(module: Module, units: Sequence[Unit]) -> list[Unit]:
    """The units that are worth quantising: layers, and what hangs on them."""
    counting = _counting(module)
    units = [u for u in units if not (u.result in counting and u.form in BETWEEN) and not _only_decides(module, u)]
    producer = {u.result: u for u in units}
    chosen = {u.result for u in units if u.form in (Form.LAYER, Form.PRODUCT, Form.RECURRENT)}
    grown = True
    while grown:
        grown = False
        for unit in units:
            if unit.result not in chosen and (
                any(v in chosen for v in unit.operands)
                or (_feeds(module, unit, producer, chosen) and unit.form in FOLLOWING)
            ):
                chosen.add(unit.result)
                grown = True
    return [u for u in units if u.result in chosen]


def _counting(module: Module) -> set[Value]:
    """The floats of which integers are made, element by element: places in a grid, say. Rounded to steps they would be
    other integers."""
    found: set[Value] = set()
    for node in reversed(module.nodes):
        op = node.op
        if op.elementwise() and (node.result in found or (op.jumps() and node.result.dtype.is_integer)):
            found.update(v for v in op.operands if v.dtype.is_float)
    return found


def _only_decides(module: Module, unit: Unit) -> bool:
    """Whether nobody but operators that jump takes what a table would give: it and they are one function, and rounding
    in between would make them jump elsewhere."""
    users = module.users[unit.result]
    jump = bool(users) and all(u.op.jumps() and u.op.elementwise() and not u.result.dtype.is_float for u in users)
    return unit.form is Form.TABLE and jump and unit.result not in module.outputs


def _feeds(module: Module, unit: Unit, producer: dict[Value, Unit], chosen: Collection[Value]) -> bool:
    """Whether all that use a unit's result are quantised, and nothing float computes what it takes."""
    users = list(_users(module, unit.result, producer))
    fed = [v for v in unit.operands if v not in module.inputs and module.constant(v) is None and v not in producer]
    return bool(users) and not fed and all(u is not None and u.result in chosen for u in users)


def _users(module: Module, value: Value, producer: dict[Value, Unit]) -> Iterator[Unit | None]:
    """The units that use a value; None for an operator outside of all units."""
    owner = {n.result: u for u in producer.values() for n in u.nodes}
    for node in module.users[value]:
        yield owner.get(node.result)
