"""Buffers that share bytes by construction: results written over a dying operand, parts written into their whole."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tinyc.ir.rows import Buffer, RowProgram, Space, Stage, View
from tinyc.ir.rows.lives import lifetimes
from tinyc.passes.core.base import RowPass


@dataclass(frozen=True)
class ShareBuffers(RowPass, name="share-buffers"):
    """Writes results over operands that die there, and the parts of a concatenation straight into it."""

    in_place: bool = True
    into_whole: bool = True

    def run(self, program: RowProgram) -> RowProgram:
        if self.into_whole:
            program = _join_parts(program)
        if self.in_place:
            program = _overwrite(program)
        return program


def _overwrite(program: RowProgram) -> RowProgram:
    """A result that may overwrite an operand becomes a view of it when no later stage reads any part of that operand.

    The operand's bytes must belong to the arena, and no other operand of the stage may share them. They must be all of
    their memory: a part of a larger one would keep all of that alive.
    """
    alive = lifetimes(program)
    views: dict[str, View] = {}

    def root(name: str) -> Buffer:
        found, _ = program.root(name)
        return root(views[found.name].base) if found.name in views else found

    for number, stage in enumerate(program.stages):
        target = program.buffer[stage.result.name]
        if target.space is not Space.ARENA or target.view is not None:
            continue
        roots = [root(v.name) for v in stage.op.operands]
        for position, (operand, owner) in enumerate(zip(stage.op.operands, roots, strict=True)):
            free = owner.space is Space.ARENA and alive[owner.name][1] == number
            alone = all(r.name != owner.name or v == operand for v, r in zip(stage.op.operands, roots, strict=True))
            fills = owner.bytes == target.bytes
            if free and alone and fills and stage.op.may_overwrite(position):
                views[target.name] = View(operand.name)
                alive[owner.name] = (alive[owner.name][0], alive[target.name][1])
                break
    buffers = tuple(dataclasses.replace(b, view=views[b.name]) if b.name in views else b for b in program.buffers)
    return dataclasses.replace(program, buffers=buffers) if views else program


def _join_parts(program: RowProgram) -> RowProgram:
    """A concatenation whose parts lie one after the other needs no copying: the parts are views of the whole."""
    for stage in program.stages:
        whole = program.buffer[stage.result.name]
        parts = {v.name: count * v.dtype.bytes for v, count in stage.op.parts()}
        if not parts or not _joinable(program, stage, whole):
            continue
        buffers = tuple(
            dataclasses.replace(b, space=whole.space, view=View(whole.name, parts[b.name])) if b.name in parts else b
            for b in program.buffers
        )
        moved = _inherit_spaces(buffers)
        program = dataclasses.replace(program, buffers=moved, stages=tuple(s for s in program.stages if s != stage))
    return program


def _joinable(program: RowProgram, stage: Stage, whole: Buffer) -> bool:
    """The parts are distinct, own their bytes, lie in the arena and are no inputs, and the whole is not read or written
    by anything else before."""
    operands = stage.op.operands
    if whole.view is not None or len(set(operands)) != len(operands):
        return False
    buffers = [program.buffer[x.name] for x in operands]
    return all(b.space is Space.ARENA and b.view is None and b.value not in program.inputs for b in buffers)


def _inherit_spaces(buffers: tuple[Buffer, ...]) -> tuple[Buffer, ...]:
    """Views lie where their base lies."""
    by_name = {b.name: b for b in buffers}

    def space(buffer: Buffer) -> Space:
        return space(by_name[buffer.view.base]) if buffer.view is not None else buffer.space

    return tuple(dataclasses.replace(b, space=space(b)) for b in buffers)
