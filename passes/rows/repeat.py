"""Rows that are repeated, as nearest-neighbour upsampling does: kept once, and read as often as they stand there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops.movement import Broadcast, Reshape


@dataclass(frozen=True)
class Repeated:
    """An image each of whose rows stands there `times` times. `whole` is what is repeated, seen with more dimensions,
    and `narrow` the same with each row once."""

    whole: Value
    narrow: Broadcast
    times: int


def repeated_rows(module: Module) -> dict[Value, Repeated]:
    """The images of a module whose rows are repeated by a broadcast and a reshape, by their value: those that nothing
    needs whole, since each operator that reads one takes some rows of it at a time."""
    users: dict[Value, list[Node]] = {}
    for node in module.nodes:
        for value in node.op.operands:
            users.setdefault(value, []).append(node)
    found = {}
    for node in module.nodes:
        shown = made(node, Reshape)
        broadcast = module.made(shown.op.x, Broadcast) if shown is not None else None
        if broadcast is None or users[broadcast.result] != [node]:
            continue
        repeated = _repeated(broadcast.op, broadcast.result, node.result)
        outside = {node.result, broadcast.result} & set(module.outputs)
        if repeated is not None and not outside and _by_rows(node.result, users):
            found[node.result] = repeated
    return found


def _repeated(op: Broadcast, whole: Value, image: Value) -> Repeated | None:
    """Dimension 2 is 1 and repeated; what follows may be, too."""
    x, shape = op.x.type, op.shape
    if not x.has_rows or x.rank != len(shape) or x.shape[:2] != shape[:2] or x.rank < 4 or x.shape[2] != 1:
        return None
    times = shape[2]
    if times < 2 or not image.type.has_rows or image.shape[1] != shape[1] * times:
        return None
    return Repeated(whole, Broadcast(op.x, (*shape[:2], 1, *shape[3:])), times)


def _by_rows(image: Value, users: Mapping[Value, list[Node]]) -> bool:
    """Whether all that reads an image reads it by rows."""
    readers = users.get(image, [])
    for node in readers:
        form = node.op.row_form()
        shown = node.op.lifted()
        if form is None or node.op.is_view():
            return False
        for value, window, shape in zip(node.op.operands, form.windows, shown, strict=True):
            if value == image and (window is None or shape != image.shape):
                return False
    return bool(readers)
