"""From the tensor level to the row level: values become buffers, operators become stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal

from tinyc.ir.constant import Constant
from tinyc.ir.errors import IRError
from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Op, Value, Window, unused
from tinyc.ir.ops.elementwise import Copy
from tinyc.ir.rows import Buffer, Kernel, RowProgram, Space, Stage, View, row_count
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import Lowering, PassError, Slack
from tinyc.passes.rows.repeat import repeated_rows
from tinyc.passes.rows.short_rows import with_short_rows

InputPlace = Literal["argument", "arena", "rows"]
OutputPlace = Literal["argument", "rows"]


@dataclass(frozen=True)
class Lower(Lowering, name="lower-to-rows"):
    """Turns operators into stages of row kernels and values into buffers.

    Views (reshapes, contiguous slices, transposes of single dimensions) become buffers without bytes of their own. So
    does an operand that is shown with more dimensions, since an operator reads rows of it (`Op.lifted`).
    A value that is a module output is computed straight into the caller's memory; where one memory would have to be
    two outputs, or an input or constant is an output, a copy is made.

    `inputs` says where they lie: in the caller's memory ("argument"), in the arena, where the caller puts them before
    and they may be overwritten ("arena"), or nowhere: images and signals arrive row by row ("rows"), and a stage for
    each copies its rows.

    `outputs` says the same of outputs: in the caller's memory ("argument"), or nowhere: a stage hands over the rows of
    each image and signal ("rows"). What has no rows lies in the caller's memory.

    `fused` says that the program's float sums are rounded as by fused multiply-adds.

    Without `strict`, there need not be any input or output that comes or goes by rows: another pass sees to it.
    """

    inputs: InputPlace = "argument"
    fused: bool = False
    outputs: OutputPlace = "argument"
    strict: bool = True

    slack = Slack(1e-6, "a float sum over one row may be rounded otherwise than the same sum in a whole tensor")

    def run(self, module: Module) -> RowProgram:
        module = with_short_rows(module) if self.inputs == "arena" else module
        build = _Build(module, self.inputs, self.outputs, self.strict)
        build.take_rows()
        for node in module.nodes:
            build.add(node)
        build.give_the_rest()
        outputs, buffers, stages = tuple(build.outputs), tuple(build.buffers), tuple(build.stages)
        return RowProgram(module.name, module.inputs, outputs, buffers, stages, fused=self.fused)


class _Build:
    """The buffers and stages of a module, as they are made.

    What comes or goes by rows lies nowhere and has the name of the input or output; its rows in the arena have another
    one.
    """

    def __init__(self, module: Module, inputs: InputPlace, outputs: OutputPlace, strict: bool) -> None:
        self._module = module
        self._views = {n.result: n.op.operands[0] for n in module.nodes if n.op.is_view()}
        self._given = _row_outputs(module, strict) if outputs == "rows" else []
        self._homes, self._copies = _output_homes(module, self._views, self._given)
        self._sources = _row_inputs(module, strict) if inputs == "rows" else []
        self._repeated = repeated_rows(module)
        self._once = {found.whole: found for found in self._repeated.values()}
        home = Space.ARENA if inputs == "arena" else Space.INPUT
        self._spaces = {v: Space.ROWS if v in self._sources else home for v in module.inputs}
        self.buffers: list[Buffer] = [Buffer(v, self._spaces[v]) for v in module.inputs]
        self.stages: list[Stage] = []
        self.outputs = list(module.outputs)
        self._names = {v.name for v in module.inputs} | {n.result.name for n in module.nodes}
        self._lifted: dict[Value, Value] = {}
        self._free = {module.outputs[k] for k in self._given} - set(module.inputs)
        inside = (*self._sources, *dict.fromkeys(v for v in module.outputs if v in self._free))
        self._renamed = {v: self._named(f"{v.name}_rows", v.type) for v in inside}

    def _named(self, name: str, type_: TensorType) -> Value:
        value = Value(unused(name, self._names), type_)
        self._names.add(value.name)
        return value

    def take_rows(self) -> None:
        """The stages that copy rows from outside."""
        for source in self._sources:
            rows = self._renamed[source]
            self._spaces[rows] = Space.ARENA
            self.buffers.append(Buffer(rows, Space.ARENA))
            self.stages.append(_row_by_row(Node(rows, Copy(source), "")))

    def add(self, original: Node) -> None:
        """A node, and the outputs that are given as soon as it has run."""
        node = original
        if node.result in self._once:
            narrow = self._once[node.result].narrow
            node = dataclasses.replace(node, result=Value(node.result.name, narrow.type), op=narrow)
            same = self._renamed.get(narrow.x, narrow.x)
            self._renamed[original.result] = same if narrow.is_identity() else node.result
            if narrow.is_identity():
                return
        result = self._renamed.get(node.result, node.result)
        if (known := made(node, Constant)) is not None:
            self.buffers.append(Buffer(result, Space.CONSTANT, data=known.op.data))
            self._spaces[result] = Space.CONSTANT
        elif node.result in self._views:
            self._view(node, result)
        else:
            self._spaces[result] = Space.OUTPUT if node.result in self._homes else Space.ARENA
            op = self._on_rows(node.op.replace_operands(self._renamed))
            self.buffers.append(Buffer(result, self._spaces[result]))
            stage = _stage(dataclasses.replace(node, result=result, op=op), self._repeated)
            self.stages.append(self._with_memory(stage, op.working_bytes()))
        for position in self._given:
            if self._module.outputs[position] == node.result:
                self._give(position)

    def _view(self, node: Node, result: Value) -> None:
        """A buffer without bytes of its own."""
        base = self._renamed.get(self._views[node.result], self._views[node.result])
        self._spaces[result] = self._spaces[base]
        offset = node.op.view_offset() * base.dtype.bytes
        times = self._repeated[node.result].times if node.result in self._repeated else 1
        self.buffers.append(Buffer(result, self._spaces[base], view=View(base.name, offset, repeats=times)))

    def _on_rows(self, op: Op) -> Op:
        """The operator on operands that have the rows which it reads."""
        images = {v: shape for v, shape in zip(op.operands, op.lifted(), strict=True) if shape != v.shape}
        for value in [v for v in images if v not in self._lifted]:
            self._lifted[value] = self._named(f"{value.name}_rows", TensorType(images[value], value.dtype))
            self.buffers.append(Buffer(self._lifted[value], self._spaces[value], view=View(value.name)))
        return op.with_operands([self._lifted[v] if v in images else v for v in op.operands])

    def _with_memory(self, stage: Stage, size: int) -> Stage:
        """The stage with so many bytes, in words, that its kernel works in."""
        if not size:
            return stage
        kind = DType.F32 if stage.result.dtype.is_float else DType.I32
        memory = self._named(f"{stage.result.name}_state", TensorType((-(-size // 4),), kind))
        self.buffers.append(Buffer(memory, Space.ARENA))
        return dataclasses.replace(stage, kernel=Kernel(scratch=memory))

    def give_the_rest(self) -> None:
        """The outputs that are copies of what is there already."""
        rows = [k for k in self._given if self._module.outputs[k] in self._module.inputs]
        for position in (*rows, *self._copies):
            self._give(position)

    def _give(self, position: int) -> None:
        """An output that is a copy of its value, held by the caller or handed over by rows."""
        value = self.outputs[position]
        copy = value if value in self._free else self._named(f"{value.name}_copy", value.type)
        self._free.discard(value)
        node = Node(copy, Copy(self._renamed.get(value, value)), "")
        by_rows = position in self._given
        self.buffers.append(Buffer(copy, Space.ROWS if by_rows else Space.OUTPUT))
        self.stages.append(_row_by_row(node) if by_rows else _stage(node, self._repeated))
        self.outputs[position] = copy


def _row_inputs(module: Module, strict: bool) -> list[Value]:
    """The inputs whose rows arrive one by one."""
    if (found := [v for v in module.inputs if _by_rows(v)]) or not strict:
        return found
    raise PassError(_lacks_rows("rows from a callback need an input", "input", module.inputs))


def _row_outputs(module: Module, strict: bool) -> list[int]:
    """The places of the outputs whose rows are handed over."""
    if (found := [k for k, v in enumerate(module.outputs) if _by_rows(v)]) or not strict:
        return found
    raise PassError(_lacks_rows("rows to a callback need an output", "output", module.outputs))


def _by_rows(value: Value) -> bool:
    """Whether a value is an image or a signal of several rows."""
    return value.type.rank in (3, 4) and row_count(value) > 1 and value.type.size > 0


def time_first(value: Value) -> bool:
    """Whether a value seems to be a signal [time, 1, channels]."""
    return value.type.rank == 3 and value.shape[1] == 1 < value.shape[0]


TIME_FIRST = (
    "for a signal whose time comes first, TxBxC with a batch B of 1, let the model take and give 1xTxC, and transpose "
    "it inside to what its recurrent layers take (batch_first in PyTorch does)"
)


def _lacks_rows(needs: str, side: str, values: Sequence[Value]) -> str:
    """What is said where nothing comes or goes by rows, and which layout would help."""
    ranks = {v.type.rank for v in values if v.shape[:1] == (1,)}
    layouts = {4: f"for an image that is 1xCxHxW choose the {side} layout nhwc"}
    layouts |= {3: f"for a signal that is 1xCxL choose the {side} layout nlc"}
    help = [text for rank, text in layouts.items() if rank in ranks and not all(map(time_first, values))]
    help += [TIME_FIRST] if any(map(time_first, values)) else []
    several = [v for v in values if v.type.rank in (3, 4) and v.shape[0] > 1 and not time_first(v)]
    help += [f"for a batch of several, let the first axis of {several[0]} be 1"] if several else []
    shapes = ", ".join(f"{v} is {v.type}" for v in values)
    shown = f"{needs} of more than one row, an image (1xHxWxC) or a signal (1xLxC); {shapes}"
    return shown + ("; " * bool(help) + " and ".join(help))


def _output_homes(module: Module, views: dict[Value, Value], given: Sequence[int]) -> tuple[set[Value], list[int]]:
    """Which computed values are written straight into output memory, and which outputs need a copy instead. Those that
    are `given` row by row have none."""
    computed = {n.result for n in module.nodes if n.op.constant() is None} - set(views)
    homes: set[Value] = set()
    copies = []
    for position, output in enumerate(module.outputs):
        if position in given:
            continue
        root, whole = output, True
        while root in views:
            whole = whole and views[root].type.size == root.type.size
            root = views[root]
        if root in computed and whole and root not in homes:
            homes.add(root)
        else:
            copies.append(position)
    return homes, copies


def _row_by_row(node: Node) -> Stage:
    """The stage that takes rows from outside or hands them over."""
    return Stage(node.result, node.op, (Window(),), loc=node.loc)


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
    return Stage(node.result, node.op, form.windows, rows if pointwise and not node.op.carries() else 1, node.loc)
