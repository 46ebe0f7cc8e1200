"""Common subexpression elimination."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

from tinyc.ir.module import Module, Node, merge_locs
from tinyc.ir.op import FieldKind, Op, Value, fields_of
from tinyc.passes.core.base import Pass
from tinyc.passes.core.rewrite import rename, tell


@dataclass(frozen=True)
class EliminateCommon(Pass, name="eliminate-common"):
    """Computes equal operators on equal operands once; equal constants are stored once.

    Operators have no effects, so equal ones have equal values. An output keeps its name: of two equal values that are
    both outputs neither is dropped.
    """

    def run(self, module: Module) -> Module:
        first: dict[Hashable, Value] = {}
        kept: dict[Value, Node] = {}
        mapping: dict[Value, Value] = {}
        renamed: dict[Value, Value] = {}
        outputs = set(module.outputs)
        for node in module.nodes:
            op = node.op.replace_operands(mapping)
            twin = first.setdefault(_key(op), node.result)
            is_output = node.result in outputs
            if twin == node.result or (is_output and (twin in outputs or twin in renamed)):
                kept[node.result] = Node(node.result, op, node.loc)
                continue
            tell(f"{node.where}: the same as {twin}")
            mapping[node.result] = twin
            kept[twin] = Node(twin, kept[twin].op, merge_locs(kept[twin].loc, node.loc))
            if is_output:
                renamed[twin] = node.result
        if not mapping:
            return module
        after = Module(
            module.name, module.inputs, tuple(kept.values()), tuple(mapping.get(v, v) for v in module.outputs)
        )
        return rename(after, renamed)


def _key(op: Op) -> Hashable:
    """Equal for operators with the same meaning. Field equality takes 0.0 for -0.0, which compute different values."""
    signs: list[float] = []
    for spec in fields_of(type(op)):
        if spec.kind is FieldKind.ATTRIBUTE and spec.base is float:
            value = getattr(op, spec.name)
            signs.extend(math.copysign(1.0, v) for v in (value if spec.is_tuple else (value,)))
    return type(op), op, tuple(signs)
