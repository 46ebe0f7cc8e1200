"""Another batch for a model that was exported with a fixed one.

Weights know nothing of the batch, but what an exporter has folded does: the shapes of reshapes, initial states,
constants repeated for each sample. The batch is followed through the graph: every shape is inferred with a batch that
no other dimension can be mistaken for, and where a constant has the old one in its place, the constant is replaced.
What does not follow, or mixes samples, is an error that names the node: nothing is guessed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.model import real_inputs
from tinyc.compiler.frontend.node import node_loc, normal_domain, operator_name
from tinyc.compiler.frontend.order import branches, mentioned
from tinyc.compiler.frontend.probe import PROBE, Probe
from tinyc.compiler.frontend.support import live_nodes
from tinyc.ir.op import unused

_ENDLESS = np.iinfo(np.int64).max
_SHAPED = ("Reshape", "Expand", "Resize", "Slice")
RECURRENT = ("RNN", "GRU", "LSTM")
_UNCHECKED = {"PRelu": (1,), "Gemm": (2,)}
"""Operands that shape inference does not hold against the result they are broadcast to."""


def rebatch(model: onnx.ModelProto, axes: Mapping[str, int], old: int, new: int, opset: int) -> None:
    """Changes the batch inside a model, in place; its inputs have been changed already.

    Args:
        model: with its inputs' shapes as they are to be; value_info and the outputs' shapes are made to fit.
        axes: the inputs that carry the batch, and where.
        old: the batch that constants in the model know.
        new: the batch of the inputs.
        opset: of ONNX's own operators.

    Raises:
        FrontendError: a node does not follow; the message names it.
    """
    follower = _Follower(old, new, opset, set(_names(model.graph)))
    for info in real_inputs(model):
        kind = info.type.tensor_type
        shape = [d.dim_value for d in kind.shape.dim]
        if info.name in axes:
            shape[axes[info.name]] = shape[axes[info.name]] // new * PROBE
            follower.inner(info.name)
        follower.types[info.name] = helper.make_tensor_type_proto(kind.elem_type, shape)
    follower.graph(model.graph)
    for info in model.graph.output:
        shape_now = follower.shape(info.name)
        if shape_now is not None:
            code = info.type.tensor_type.elem_type or follower.types[info.name].tensor_type.elem_type
            sizes = [follower.at(n, new) for n in shape_now]
            info.type.CopyFrom(helper.make_tensor_type_proto(code, sizes))
        elif info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    _drop(model.graph, follower.replaced)
    _forget(model.graph)


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """The names of all tensors in a graph and its branches."""
    yield from (t.name for t in (*graph.input, *graph.initializer))
    for node in graph.node:
        yield from node.output
        for inner in branches(node):
            yield from _names(inner)


def _drop(graph: onnx.GraphProto, replaced: set[str]) -> None:
    """Drops the constants that nothing uses any more."""
    used = set(mentioned(graph.node)) | {i.name for i in graph.input} | {o.name for o in graph.output}
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name in replaced - used:
            del graph.initializer[place]


def _forget(graph: onnx.GraphProto) -> None:
    """Drops the shapes that were noted for the old batch."""
    del graph.value_info[:]
    for node in graph.node:
        for inner in branches(node):
            _forget(inner)
            for info in inner.output:
                info.type.tensor_type.ClearField("shape")


class _Follower(Probe):
    """Walks through a model's nodes, and replaces the constants that have the old batch in their place; `replaced` are
    those.

    `_outer` says of a dimension that has more than the batch how much of that lies outside of it, 0 when that is not
    known: 3 where 12 are 3 times a batch of 4, and 1 where they are 4 times 3.
    """

    def __init__(self, old: int, new: int, opset: int, taken: set[str]) -> None:
        super().__init__(new, opset)
        self._old = old
        self._taken = taken
        self.replaced: set[str] = set()
        self._outer: dict[str, int] = {}

    def inner(self, name: str) -> None:
        """Notes of an input that what it has of several batches lies together, sample by sample."""
        self._outer[name] = 1

    def graph(self, graph: onnx.GraphProto) -> None:
        """Follows through what a graph's outputs need, in order. The rest, which may know the old batch, goes."""
        for tensor in graph.initializer:
            self.constant(tensor.name, tensor)
        live = live_nodes(graph)
        for index, node in live:
            self._node(node, graph, f"node {node_loc(node, index)} ({operator_name(node)})")
        for index in sorted(set(range(len(graph.node))) - {index for index, _ in live}, reverse=True):
            del graph.node[index]

    def _node(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str) -> None:
        if node.op_type == "If":
            self._branch(node, where)
            return
        self._replace(node, graph, where)
        if not self.add(node) and not (self._repeated(node, graph, range(len(node.input))) and self.add(node)):
            if any(self._has_batch(name) for name in node.input):
                raise self._stuck(where)
            return
        if self._mixes(node):
            raise self._stuck(where)
        for name in node.output:
            here = self.carried(name)
            if here is not None and here[1] > 1 and name not in self._outer:
                like = [n for n in node.input if (there := self.carried(n)) is not None and there[1] == here[1]]
                self._outer[name] = self._outer.get(like[0], 0) if like else 0

    def _has_batch(self, name: str) -> bool:
        return any(n and n % PROBE == 0 for n in self.shape(name) or ())

    def _mixes(self, node: onnx.NodeProto) -> bool:
        """Whether what a node gives for one sample depends on the others, or on how many there are."""
        if not any(self._has_batch(name) for name in node.input) or node.op_type in ("Shape", "Size", "Slice"):
            return False
        if node.op_type == "Gather":  # one sample, by its number
            indices, carried = self.data.get(node.input[1]), self.carried(node.input[0])
            along = carried is not None and self.along(node) == carried[0]
            return along and (indices is None or bool(np.any((indices < 0) | (indices >= self._new))))
        if not any(self.carried(name) for name in node.output):  # summed over, or against each other
            return True
        return any(self.mixing(node, axis) for axis, _ in filter(None, map(self.carried, node.input[:1])))

    def _stuck(self, where: str) -> FrontendError:
        return FrontendError(
            f"{where}: does not follow when the batch changes from {self._old} to {self._new}: "
            f"export the model with batch {self._new}"
        )

    def _branch(self, node: onnx.NodeProto, where: str) -> None:
        taken = self.now.get(node.input[0], self.data.get(node.input[0]))
        if taken is None:
            raise self._stuck(where)
        bodies = {a.name: a.g for a in node.attribute}
        name = "then_branch" if bool(taken.reshape(-1)[0]) else "else_branch"
        body = bodies.pop(name)
        self.graph(body)
        for other in bodies.values():
            with contextlib.suppress(FrontendError):  # it is never run, and may be for the old batch alone
                self.graph(other)
        for outside, inside in zip(node.output, body.output, strict=True):
            if inside.name in self.types:
                self.types[outside] = self.types[inside.name]
                self._outer[outside] = self._outer.get(inside.name, 0)

    def _replace(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str) -> None:
        """Replaces the constants of a node by which it does not follow, where its operator says which these are."""
        carried = self.carried(node.input[0]) if node.input else None
        if carried is None or normal_domain(node.domain):
            if node.op_type in _SHAPED and node.input and self._has_batch(node.input[0]):
                raise self._stuck(where)  # the batch is in two dimensions
            return
        if node.op_type == "Reshape":
            self._reshape(node, graph, where, *carried)
        elif node.op_type == "Flatten":
            self._flatten(node, *carried)
        elif node.op_type == "Expand":
            axis = len(self.data.get(node.input[1], ())) - len(self.shape(node.input[0]) or ()) + carried[0]
            self._entry(node, graph, 1, axis, carried[1])
        elif node.op_type == "Resize" and not any(a.name == "axes" for a in node.attribute):
            self._entry(node, graph, 3, *carried)
        elif node.op_type == "Slice":
            self._slice(node, graph, where, *carried)
        elif node.op_type in RECURRENT:
            self._states(node, graph)
        elif node.op_type in _UNCHECKED:
            self._repeated(node, graph, _UNCHECKED[node.op_type])

    def _reshape(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str, axis: int, count: int) -> None:
        shape, given = self.shape(node.input[0]), self.data.get(node.input[1])
        if shape is None or given is None:
            raise self._stuck(where)
        target = [int(n) for n in given.reshape(-1)]
        if any(n and n % PROBE == 0 for n in target):
            return  # computed from shapes that follow
        copies = not any(a.name == "allowzero" and a.i for a in node.attribute)
        before = [self.at(n, self._old) for n in shape]
        after = _resolved(target, before, copies)
        outer = self._outer.get(node.input[0], 0) if count > 1 else 1
        if after is None or not outer:
            raise self._stuck(where)
        # In the order of the elements, the batch lies between `lead` and `lead * old`: it must be in one dimension.
        lead, passed = math.prod(before[:axis]) * outer, 1
        at = 0
        while at < len(after) and (lead % passed or passed * after[at] % (lead * self._old)):
            passed *= after[at]
            at += 1
        if at == len(after) or not math.prod(after):
            raise self._stuck(where)
        self._outer[node.output[0]] = lead // passed
        fixed = list(target)
        for k, n in enumerate(target):
            if n == 0 and copies and (k == at) != (k == axis):
                fixed[k] = after[k]
        if fixed[at] not in (-1, 0):
            self._put(node, graph, 1, fixed, at, after[at] // self._old)
        elif fixed != target:
            self._put(node, graph, 1, fixed, None, 0)

    def _flatten(self, node: onnx.NodeProto, axis: int, count: int) -> None:
        shape = self.shape(node.input[0]) or ()
        at = next((int(a.i) for a in node.attribute if a.name == "axis"), 1) % max(len(shape), 1)
        first = 0 if axis < at else at
        outer = self._outer.get(node.input[0], 0) if count > 1 else 1
        self._outer[node.output[0]] = math.prod(shape[first:axis]) * outer

    def _entry(self, node: onnx.NodeProto, graph: onnx.GraphProto, operand: int, axis: int, count: int) -> None:
        """Replaces an entry of a constant shape that is the old batch."""
        given = self.data.get(node.input[operand]) if operand < len(node.input) else None
        if given is not None and 0 <= axis < given.size and given[axis] == count * self._old:
            self._put(node, graph, operand, [int(n) for n in given], axis, count)

    def _slice(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str, axis: int, count: int) -> None:
        """A slice of all samples stays one of all; one of some must not depend on how many there are."""
        rank, attributes = len(self.shape(node.input[0]) or ()), {a.name: a for a in node.attribute}
        bounds = []
        for place, name in enumerate(("starts", "ends", "axes", "steps"), 1):
            array = self.data.get(node.input[place]) if place < len(node.input) else None
            listed = attributes[name].ints if name in attributes else [] if array is None else array
            bounds.append([int(n) for n in listed])
        starts, ends, axes, steps = bounds
        if not starts or len(ends) != len(starts):
            raise self._stuck(where)
        named = [a % rank for a in axes] or list(range(len(starts)))
        if axis not in named:
            return
        k = named.index(axis)
        step = steps[k] if steps else 1
        whole = step == 1 and range(count * self._old)[starts[k] : ends[k]] == range(count * self._old)
        if not whole:
            if step != 1 or not 0 <= starts[k] < ends[k] <= count * min(self._old, self._new):
                raise self._stuck(where)
        elif ends[k] < np.iinfo(np.int32).max or starts[k]:
            starts[k], ends[k] = 0, int(_ENDLESS)
            if "ends" in attributes:
                attributes["starts"].ints[:], attributes["ends"].ints[:] = starts, ends
            else:
                self._put(node, graph, 1, starts, None, 0)
                self._put(node, graph, 2, ends, None, 0)

    def _states(self, node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
        """Initial states and lengths, one a sample."""
        last = any(a.name == "layout" and a.i for a in node.attribute)
        for place, axis in ((4, 0), (5, 0 if last else 1), (6, 0 if last else 1)):
            if place < len(node.input) and node.input[place] and not self.carried(node.input[place]):
                self._repeat(node, graph, place, axis, 1)

    def _repeated(self, node: onnx.NodeProto, graph: onnx.GraphProto, places: Sequence[int]) -> bool:
        """Replaces constant operands that are repeated for each sample of another operand, aligned from the right."""
        carried = [(len(self.shape(n) or ()), at) for n in node.input if n and (at := self.carried(n)) is not None]
        done = False
        for place in places:
            name = node.input[place] if place < len(node.input) else ""
            shape = self.shape(name)
            if shape is None or not carried or self.carried(name) is not None:
                continue
            rank, (axis, count) = carried[0]
            done |= self._repeat(node, graph, place, len(shape) - rank + axis, count)
        return done

    def _repeat(self, node: onnx.NodeProto, graph: onnx.GraphProto, place: int, axis: int, count: int) -> bool:
        """Replaces an operand that is a constant, the same for each entry of a dimension that is the old batch."""
        shape = self.shape(node.input[place])
        if shape is None or not 0 <= axis < len(shape) or shape[axis] != count * self._old:
            return False
        array = self.array(node.input[place])
        if array is None or not np.array_equal(array, np.broadcast_to(array.take([0], axis), array.shape)):
            return False
        name = self._unused(node.input[place])
        graph.initializer.append(numpy_helper.from_array(array.take([0] * (count * self._new), axis), name))
        dims = [count * PROBE if k == axis else n for k, n in enumerate(shape)]
        self.types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), dims)
        self.replaced.add(node.input[place])
        node.input[place] = name
        return True

    def _put(
        self, node: onnx.NodeProto, graph: onnx.GraphProto, place: int, numbers: list[int], at: int | None, count: int
    ) -> None:
        """Gives a node integers as a new constant operand; entry `at` is `count` batches."""
        name = self._unused(node.input[place])
        array, probe = np.asarray(numbers, np.int64), np.asarray(numbers, np.int64)
        if at is not None:
            array[at], probe[at] = count * self._new, count * PROBE
        graph.initializer.append(numpy_helper.from_array(array, name))
        self.constant(name, numpy_helper.from_array(probe, name))
        self.replaced.add(node.input[place])
        node.input[place] = name

    def _unused(self, hint: str) -> str:
        name = unused(f"{hint}_batch_{self._new}", self._taken)
        self._taken.add(name)
        return name


def _resolved(target: Sequence[int], before: Sequence[int], copies: bool) -> list[int] | None:
    """The shape that a reshape gives, -1 and 0 resolved; None when it does not fit."""
    after = [before[k] if n == 0 and copies and k < len(before) else n for k, n in enumerate(target)]
    rest = math.prod(n for n in after if n != -1)
    if after.count(-1) == 1 and rest and math.prod(before) % rest == 0:
        after[after.index(-1)] = math.prod(before) // rest
    return after if min(after, default=1) >= 0 and math.prod(after) == math.prod(before) else None
