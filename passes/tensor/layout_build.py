"""The second half of the layout pass: makes the module that runs its operators in given forms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from tinyc.ir.module import Module, Node, remove_dead
from tinyc.ir.op import Op, Value, unused
from tinyc.ir.ops import Constant, Dequantize, Reshape, Transpose
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.core.rewrite import rename
from tinyc.passes.tensor.layout import Layout, normal, transposes
from tinyc.passes.tensor.relayout import Form, Maker, build, plain_form


def rebuild(module: Module, forms: Mapping[Value, Form]) -> Module:
    """The module with every operator in its form, and transposes where layouts differ. Outputs keep their names."""
    return _Builder(module, forms).run()


def is_fixed(module: Module, value: Value | None) -> bool:
    """Whether a value is a constant, or the dequantize of one."""
    scaled = module.made(value, Dequantize)
    return module.constant(value if scaled is None else scaled.op.x) is not None


class _Builder:
    def __init__(self, module: Module, forms: Mapping[Value, Form]) -> None:
        self._module = module
        self._forms = forms
        self._nodes: list[Node] = []
        self._names = {v.name for v in (*module.inputs, *(n.result for n in module.nodes))}
        self._stored: dict[Value, tuple[Value, Layout]] = {v: (v, Layout.plain(v.shape)) for v in module.inputs}
        self._converted: dict[tuple[Value, Layout, bool], Value] = {}
        self._loc = ""
        self._maker = Maker(
            add=self._add,
            permuted=self._permuted,
            is_fixed=partial(is_fixed, module),
        )

    def run(self) -> Module:
        for node in self._module.nodes:
            self._loc = node.loc
            if node.op.constant() is not None:
                self._nodes.append(node)
                self._stored[node.result] = node.result, Layout.plain(node.result.shape)
            else:
                self._place(node)
        outputs: list[Value] = []
        names: dict[Value, Value] = {}
        taken = {*self._module.inputs, *self._module.outputs}
        placed: dict[Value, Value] = {}
        for wanted in self._module.outputs:
            if wanted in placed:
                outputs.append(placed[wanted])
                continue
            value = self._fetch(wanted, Layout.plain(wanted.shape))
            if value != wanted:
                if value in taken or value in names:
                    value = self._add(Reshape(value, wanted.shape), f"{wanted.name}_copy")
                names[value] = wanted
            placed[wanted] = value
            outputs.append(value)
        after = Module(self._module.name, self._module.inputs, tuple(self._nodes), tuple(outputs))
        return remove_dead(rename(after, names))

    def _place(self, node: Node) -> None:
        form, op = self._forms[node.result], node.op
        if op.renames():
            value = self._fetch(op.operands[0], form.operands[0])
            self._stored[node.result] = value, form.result
            return
        plain = plain_form(op)
        if form.same_bytes(plain) and form.result.rows <= plain.result.rows:
            form = plain
        operands = [self._fetch(v, layout) for v, layout in zip(op.operands, form.operands, strict=True)]
        if form is plain:
            new = op.with_operands(operands)
            result = node.result
        else:
            new = build(op, form, operands, self._maker)
            is_output = node.result in self._module.outputs
            result = Value(self._fresh(node.result.name) if is_output else node.result.name, new.type)
        self._nodes.append(Node(result, new, node.loc))
        self._stored[node.result] = result, form.result

    def _fetch(self, value: Value, want: Layout) -> Value:
        """A value in a layout, converted once for all users."""
        known, have = self._stored[value]
        constant = self._module.constant(value)
        if constant is not None:
            return self._constant(value, constant, want)
        key = value, normal(want), True
        if key not in self._converted:
            steps = transposes(have, want)
            for shape, perm in steps:
                known = self._add(Transpose(self._reshaped(known, shape), perm))
            self._converted[key] = known
        return self._reshaped(self._converted[key], want.shape)

    def _constant(self, value: Value, array: Array, want: Layout) -> Value:
        if want.shape == value.shape and want.same_bytes(Layout.plain(value.shape)):
            return value
        key = value, want, False
        if key not in self._converted:
            stored = np.ascontiguousarray(array.reshape(want.factors).transpose(want.order))
            self._converted[key] = self._add(Constant(Tensor(stored)), value.name)
        return self._converted[key]

    def _permuted(self, value: Value, orders: Sequence[Array]) -> Value:
        """A constant, or the dequantize of one, with the entries of each dimension in another order."""
        array = self._module.constant(value)
        if array is not None:
            return self._add(Constant(Tensor(array[np.ix_(*orders)])), value.name)
        scaled = self._module.made(value, Dequantize)
        assert scaled is not None
        op = scaled.op
        integers = self._permuted(op.x, orders)
        if op.whole():
            return self._add(dataclasses.replace(op, x=integers), value.name)
        order = orders[op.axis]
        scale, zero = (tuple(n[k] for k in order) for n in (op.scale, op.zero))
        return self._add(Dequantize(integers, scale, zero, op.axis), value.name)

    def _reshaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        key = value, Layout.plain(shape), False
        if value.shape == shape:
            return value
        if key not in self._converted:
            self._converted[key] = self._add(Reshape(value, shape))
        return self._converted[key]

    def _add(self, op: Op, name: str = "") -> Value:
        value = Value(self._fresh(name or op.mnemonic), op.type)
        self._nodes.append(Node(value, op, self._loc))
        return value

    def _fresh(self, hint: str) -> str:
        name = unused(hint, self._names)
        self._names.add(name)
        return name
