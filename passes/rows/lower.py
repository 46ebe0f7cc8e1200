"""From the tensor level to the row level: values become buffers, operators become stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal, cast

from tinyc.ir.constant import Constant
from tinyc.ir.errors import IRError
from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value, Window, unused
from tinyc.ir.ops.elementwise import Copy
from tinyc.ir.rows import Buffer, Kernel, RowProgram, Space, Stage, View, row_count
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import Lowering, PassError, Slack
from tinyc.passes.rows.repeat import repeated_rows
from tinyc.passes.rows.short_rows import with_short_rows

InputPlace = Literal["argument", "arena", "rows"]


@dataclass(frozen=True)
class Lower(Lowering, name="lower-to-rows"):
    """Turns operators into stages of row kernels and values into buffers.

    Views (reshapes, contiguous slices, transposes of single dimensions) become buffers without bytes of their own. So
    does an operand that is shown with more dimensions, since an operator reads rows of it (`Op.lifted`).
    A value that is a module output is computed straight into the caller's memory; where one memory would have to be
    two outputs, or an input or constant is an output, a copy is made.

    `inputs` says where they lie: in the caller's memory ("argument"), in the arena, where the caller puts them before
    and they may be overwritten ("arena"), or nowhere: the one image or signal that there is arrives row by row
    ("rows"), and the first stage copies its rows.

    `fused` says that the program's float sums are rounded as by fused multiply-adds.
    """

    inputs: InputPlace = "argument"
    fused: bool = False

    slack = Slack(1e-6, "a float sum over one row may be rounded otherwise than the same sum in a whole tensor")

    def run(self, module: Module) -> RowProgram:
        module = with_short_rows(module) if self.inputs == "arena" else module
        views = {n.result: n.op.operands[0] for n in module.nodes if n.op.is_view()}
        homes, copies = _output_homes(module, views)
        source = _row_input(module) if self.inputs == "rows" else None
        home = Space.ARENA if self.inputs == "arena" else Space.INPUT
        spaces = {v: Space.ROWS if v == source else home for v in module.inputs}
        buffers: list[Buffer] = [Buffer(v, spaces[v]) for v in module.inputs]
        stages: list[Stage] = []
        names = {v.name for v in module.inputs} | {n.result.name for n in module.nodes}
        renamed: dict[Value, Value] = {}
        lifted: dict[Value, Value] = {}
        if source is not None:
            rows = renamed[source] = Value(unused(f"{source.name}_rows", names), source.type)
            names.add(rows.name)
            spaces[rows] = Space.ARENA
            buffers.append(Buffer(rows, Space.ARENA))
            stages.append(Stage(rows, Copy(source), (Window(),)))
        repeated = repeated_rows(module)
        once = {found.whole: found for found in repeated.values()}
        for given in module.nodes:
            node = given
            if node.result in once:
                narrow = once[node.result].narrow
                node = dataclasses.replace(node, result=Value(node.result.name, narrow.type), op=narrow)
                renamed[given.result] = narrow.x if narrow.is_identity() else node.result
                if narrow.is_identity():
                    continue
            if (known := made(node, Constant)) is not None:
                buffers.append(Buffer(node.result, Space.CONSTANT, data=known.op.data))
                spaces[node.result] = Space.CONSTANT
            elif node.result in views:
                base = renamed.get(views[node.result], views[node.result])
                spaces[node.result] = spaces[base]
                offset = node.op.view_offset() * base.dtype.bytes
                times = repeated[node.result].times if node.result in repeated else 1
                buffers.append(Buffer(node.result, spaces[base], view=View(base.name, offset, repeats=times)))
            else:
                spaces[node.result] = Space.OUTPUT if node.result in homes else Space.ARENA
                op = node.op.replace_operands(renamed)
                images = {v: shape for v, shape in zip(op.operands, op.lifted(), strict=True) if shape != v.shape}
                for value in [v for v in images if v not in lifted]:
                    lifted[value] = Value(unused(f"{value.name}_rows", names), TensorType(images[value], value.dtype))
                    names.add(lifted[value].name)
                    buffers.append(Buffer(lifted[value], spaces[value], view=View(value.name)))
                op = op.with_operands([lifted[v] if v in images else v for v in op.operands])
                buffers.append(Buffer(node.result, spaces[node.result]))
                stage = _stage(dataclasses.replace(node, op=op), repeated)
                if memory := op.working_bytes():
                    stage = _with_memory(stage, memory, names)
                    buffers.append(Buffer(cast("Value", stage.kernel.scratch), Space.ARENA))
                stages.append(stage)
        outputs = list(module.outputs)
        for position in copies:
            original = renamed.get(outputs[position], outputs[position])
            copy = Value(unused(f"{original.name}_copy", names), original.type)
            names.add(copy.name)
            buffers.append(Buffer(copy, Space.OUTPUT))
            stages.append(_stage(Node(copy, Copy(original), ""), repeated))
            outputs[position] = copy
        return RowProgram(module.name, module.inputs, tuple(outputs), tuple(buffers), tuple(stages), fused=self.fused)


def _with_memory(stage: Stage, size: int, names: set[str]) -> Stage:
    """The stage with so many bytes, in words, that its kernel works in."""
    kind = DType.F32 if stage.result.dtype.is_float else DType.I32
    memory = Value(unused(f"{stage.result.name}_state", names), TensorType((-(-size // 4),), kind))
    names.add(memory.name)
    return dataclasses.replace(stage, kernel=Kernel(scratch=memory))


def _row_input(module: Module) -> Value:
    """The input whose rows arrive one by one."""
    images = [v for v in module.inputs if row_count(v) > 1]
    if len(images) == 1:
        return images[0]
    ranks = {v.type.rank for v in module.inputs if not images}
    layouts = {4: "for an image that is 1xCxHxW choose the input layout nhwc"}
    layouts |= {3: "for a signal that is 1xCxL choose the input layout nlc"}
    help = [text for rank, text in layouts.items() if rank in ranks]
    shapes = ", ".join(f"{v} is {v.type}" for v in module.inputs)
    raise PassError(
        "rows from a callback need one input of more than one row, an image (1xHxWxC) or a signal (1xLxC), beside any"
        f" others; {shapes}" + ("; " * bool(help) + " and ".join(help))
    )


def _output_homes(module: Module, views: dict[Value, Value]) -> tuple[set[Value], list[int]]:
    """Which computed values are written straight into output memory, and which outputs need a copy instead."""
    computed = {n.result for n in module.nodes if n.op.constant() is None} - set(views)
    homes: set[Value] = set()
    copies = []
    for position, output in enumerate(module.outputs):
        root, whole = output, True
        while root in views:
            whole = whole and views[root].type.size == root.type.size
            root = views[root]
        if root in computed and whole and root not in homes:
            homes.add(root)
        else:
            copies.append(position)
    return homes, copies


def _stage(node: Node, repeated: Container[Value]) -> Stage:
    form = node.op.row_form()
    if form is None:
        if reason := node.op.unrunnable():
            raise IRError(reason, node.where)
        return Stage(node.result, node.op, loc=node.loc)
    if not node.result.type.size:
        return Stage(node.result, node.op, loc=node.loc)
    # A window of one row may still reach below the operand: then the padded rows are none of a band.
    rows = row_count(node.result)
    pointwise = all(
        w is None or (w.is_pointwise and row_count(v) == rows and v not in repeated)
        for v, w in zip(node.op.operands, form.windows, strict=True)
    )
    return Stage(node.result, node.op, form.windows, rows if pointwise else 1, node.loc)
