"""Another batch for a model that was exported with a fixed one.

Weights know nothing of the batch, but what an exporter has folded does: the shapes of reshapes, initial states,
constants repeated for each sample. The batch is followed through the graph: every shape is inferred with a batch that
no other dimension can be mistaken for, and where a constant has the old one in its place, the constant is replaced.
What mixes samples in another way is an error that names the node: nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from tinyc.compiler.frontend.constants import evaluate_by_reference, is_function
from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.limits import LARGEST
from tinyc.compiler.frontend.model import real_inputs
from tinyc.compiler.frontend.node import node_loc, normal_domain, operator_name
from tinyc.compiler.frontend.order import branches
from tinyc.compiler.frontend.registry import SHAPED_LIKE
from tinyc.ir.tensor import Array

PROBE = 1_000_003
"""The batch that shapes are inferred with: a prime, so that a dimension it divides is a number of batches."""

SMALL = 4096
"""Elements up to which a constant may be a shape, and is evaluated to infer other shapes with."""

_ENDLESS = np.iinfo(np.int64).max
_RECURRENT = ("RNN", "GRU", "LSTM")
_UNCHECKED = {"PRelu": (1,), "Gemm": (2,)}
"""Operands that shape inference does not hold against the result they are broadcast to."""

Shape = tuple[int, ...]


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
    follower = _Follower(old, new, opset)
    for info in real_inputs(model):
        kind = info.type.tensor_type
        shape = [d.dim_value for d in kind.shape.dim]
        if info.name in axes:
            shape[axes[info.name]] = shape[axes[info.name]] // new * PROBE
        follower.types[info.name] = helper.make_tensor_type_proto(kind.elem_type, shape)
    follower.graph(model.graph)
    for info in model.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
            shape_now = follower.shape(info.name)
            if shape_now is not None:
                for size in shape_now:
                    info.type.tensor_type.shape.dim.add().dim_value = follower.at(size, new)
    _forget(model.graph)


def _forget(graph: onnx.GraphProto) -> None:
    """Drops the shapes that were noted for the old batch."""
    del graph.value_info[:]
    for node in graph.node:
        for inner in branches(node):
            _forget(inner)
            for info in inner.output:
                info.type.tensor_type.ClearField("shape")


class _Follower:
    """What is known of the tensors while the batch is followed: types (with the batch `PROBE`), the values of small
    constants, how the batch lies in a dimension that has more than it, and which node makes what."""

    def __init__(self, old: int, new: int, opset: int) -> None:
        self.types: dict[str, onnx.TypeProto] = {}
        self._old, self._new, self._opset = old, new, opset
        self._data: dict[str, Array] = {}
        self._tensors: dict[str, TensorProto] = {}
        self._makers: dict[str, onnx.NodeProto] = {}
        self._outer: dict[str, int] = {}

    def graph(self, graph: onnx.GraphProto) -> None:
        """Follows through a graph, in order."""
        for tensor in graph.initializer:
            self._constant(tensor.name, tensor)
        for index, node in enumerate(graph.node):
            self._node(node, graph, f"node {node_loc(node, index)} ({operator_name(node)})")

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor with the batch `PROBE`; None when it is not known."""
        kind = self.types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        dims = kind.tensor_type.shape.dim
        return tuple(int(d.dim_value) for d in dims) if all(d.HasField("dim_value") for d in dims) else None

    @staticmethod
    def at(size: int, batch: int) -> int:
        """A dimension with another batch instead of `PROBE`."""
        return size // PROBE * batch if size and size % PROBE == 0 else size

    def _constant(self, name: str, tensor: TensorProto) -> None:
        self._tensors[name] = tensor
        self.types[name] = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
        if math.prod(tensor.dims) <= SMALL and tensor.data_type != TensorProto.STRING:
            self._data[name] = numpy_helper.to_array(tensor)

    def _carried(self, name: str) -> tuple[int, int] | None:
        """The dimension of a tensor that has the batch, and how many of it; None when there is none, or more."""
        found = [(axis, n // PROBE) for axis, n in enumerate(self.shape(name) or ()) if n and n % PROBE == 0]
        return found[0] if len(found) == 1 else None

    def _node(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str) -> None:
        for name in node.output:
            self._makers[name] = node
        if node.op_type == "Constant" and any(a.name == "value" for a in node.attribute):
            self._constant(node.output[0], next(a.t for a in node.attribute if a.name == "value"))
            return
        if node.op_type == "If":
            self._branch(node, where)
            return
        self._replace(node, graph, where)
        found = self._infer(node)
        if found is None and self._repeated(node, graph, range(len(node.input))):
            found = self._infer(node)
        if found is None:
            if any(self._carried(name) for name in node.input):
                raise self._stuck(where)
            return
        self.types |= found
        self._evaluate(node)
        for name in node.output:
            here = self._carried(name)
            if here is not None and here[1] > 1 and name not in self._outer:
                like = [n for n in node.input if (at := self._carried(n)) is not None and at[1] == here[1]]
                self._outer[name] = self._outer.get(like[0], 0) if like else 0

    def _stuck(self, where: str) -> FrontendError:
        return FrontendError(
            f"{where}: does not follow when the batch changes from {self._old} to {self._new}: "
            f"export the model with batch {self._new}"
        )

    def _branch(self, node: onnx.NodeProto, where: str) -> None:
        taken = self._data.get(node.input[0])
        if taken is None:
            raise self._stuck(where)
        name = "then_branch" if bool(taken.reshape(-1)[0]) else "else_branch"
        body = next(a.g for a in node.attribute if a.name == name)
        self.graph(body)
        for outside, inside in zip(node.output, body.output, strict=True):
            if inside.name in self.types:
                self.types[outside] = self.types[inside.name]
                self._outer[outside] = self._outer.get(inside.name, 0)

    def _infer(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto] | None:
        """The types of a node's outputs; None when its operands do not fit each other, or one is not known."""
        like, names = self._like(node)
        if like is None or any(name not in self.types for name in names):
            return None
        known = {n: numpy_helper.from_array(self._data[n], n) for n in names if n in self._data}
        infos = [helper.make_value_info(n, self.types[n]) for n in dict.fromkeys(names) if n not in known]
        outputs = [helper.make_value_info(n, onnx.TypeProto()) for n in node.output if n]
        graph = helper.make_graph([like], "node", infos, outputs, list(known.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)], ir_version=8)
        try:
            inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception:  # whatever the C++ code of onnx raises
            return None
        return {o.name: o.type for o in inferred.graph.output if o.type.HasField("tensor_type")}

    def _like(self, node: onnx.NodeProto) -> tuple[onnx.NodeProto | None, list[str]]:
        """The node, or for one of another domain one of ONNX's own with a result of the same shape; and its operands."""
        if not normal_domain(node.domain):
            return node, [n for n in node.input if n]
        found = SHAPED_LIKE.get(operator_name(node))
        if found is None or any(a.name == "channels_last" and a.i for a in node.attribute):
            return None, []
        op_type, taken = found
        names = [n for n in taken(list(node.input)) if n]
        kept = [a for a in node.attribute if a.name not in ("channels_last", "opset")]
        like = onnx.NodeProto(op_type=op_type, input=names, output=node.output[:1], attribute=kept)
        return like, names

    def _evaluate(self, node: onnx.NodeProto) -> None:
        """Notes the values of a node's small outputs, if its operands are known."""
        shape = self.shape(node.input[0]) if node.input else None
        if node.op_type == "Shape" and shape is not None:
            bounds = {a.name: int(a.i) for a in node.attribute}
            part = shape[bounds.get("start", 0) : bounds.get("end", len(shape))]
            self._data[node.output[0]] = np.asarray(part, np.int64)
            return
        sizes = [self.shape(name) for name in node.output if name]
        small = all(s is None or math.prod(s) <= SMALL for s in sizes)
        if small and all(not n or n in self._data for n in node.input) and is_function(node, self._opset):
            try:
                arrays = evaluate_by_reference(node, self._opset, [self._data.get(n) for n in node.input])
            except Exception:  # malformed: the import says why
                return
            self._data |= {n: a for n, a in zip(node.output, arrays, strict=True) if n}

    def _replace(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str) -> None:
        """Replaces the constants of a node by which it does not follow, where its operator says which these are."""
        carried = self._carried(node.input[0]) if node.input else None
        if carried is None or normal_domain(node.domain):
            return
        if node.op_type == "Reshape":
            self._reshape(node, graph, where, *carried)
        elif node.op_type == "Expand":
            axis = len(self._data.get(node.input[1], ())) - len(self.shape(node.input[0]) or ()) + carried[0]
            self._entry(node, graph, 1, axis, carried[1])
        elif node.op_type == "Resize" and not any(a.name == "axes" for a in node.attribute):
            self._entry(node, graph, 3, *carried)
        elif node.op_type == "Slice":
            self._slice(node, graph, where, *carried)
        elif node.op_type in _RECURRENT:
            self._states(node, graph)
        elif node.op_type in _UNCHECKED:
            self._repeated(node, graph, _UNCHECKED[node.op_type])

    def _reshape(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str, axis: int, count: int) -> None:
        shape, given = self.shape(node.input[0]), self._data.get(node.input[1])
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
        for at, size in enumerate(after):
            if lead % passed == 0 and passed * size % (lead * self._old) == 0 and passed * size:
                break
            passed *= size
        else:
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

    def _entry(self, node: onnx.NodeProto, graph: onnx.GraphProto, operand: int, axis: int, count: int) -> None:
        """Replaces an entry of a constant shape that is the old batch."""
        given = self._data.get(node.input[operand]) if operand < len(node.input) else None
        if given is not None and 0 <= axis < given.size and given[axis] == count * self._old:
            self._put(node, graph, operand, [int(n) for n in given], axis, count)

    def _slice(self, node: onnx.NodeProto, graph: onnx.GraphProto, where: str, axis: int, count: int) -> None:
        """A slice of all samples stays one of all; one of some must not depend on how many there are."""
        rank, attributes = len(self.shape(node.input[0]) or ()), {a.name: a for a in node.attribute}
        bounds = []
        for place, name in enumerate(("starts", "ends", "axes", "steps"), 1):
            array = self._data.get(node.input[place]) if place < len(node.input) else None
            bounds.append(
                [int(n) for n in (attributes[name].ints if name in attributes else [] if array is None else array)]
            )
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
            if place < len(node.input) and node.input[place] and not self._carried(node.input[place]):
                self._repeat(node, graph, place, axis, 1)

    def _repeated(self, node: onnx.NodeProto, graph: onnx.GraphProto, places: Sequence[int]) -> bool:
        """Replaces constant operands that are repeated for each sample of another operand, aligned from the right."""
        carried = [(len(self.shape(n) or ()), at) for n in node.input if n and (at := self._carried(n)) is not None]
        done = False
        for place in places:
            name = node.input[place] if place < len(node.input) else ""
            shape = self.shape(name)
            if shape is None or not carried or self._carried(name) is not None:
                continue
            rank, (axis, count) = carried[0]
            done |= self._repeat(node, graph, place, len(shape) - rank + axis, count)
        return done

    def _repeat(self, node: onnx.NodeProto, graph: onnx.GraphProto, place: int, axis: int, count: int) -> bool:
        """Replaces an operand that is a constant, the same for each entry of a dimension that is the old batch."""
        shape = self.shape(node.input[place])
        if shape is None or not 0 <= axis < len(shape) or shape[axis] != count * self._old:
            return False
        array = self._array(node.input[place])
        if array is None or not np.array_equal(array, np.broadcast_to(array.take([0], axis), array.shape)):
            return False
        name = self._unused(node.input[place])
        graph.initializer.append(numpy_helper.from_array(array.take([0] * (count * self._new), axis), name))
        dims = [count * PROBE if k == axis else n for k, n in enumerate(shape)]
        self.types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), dims)
        node.input[place] = name
        return True

    def _array(self, name: str) -> Array | None:
        """The array of a constant or of an expression of constants; None for anything else."""
        if name in self._data or name in self._tensors:
            return self._data[name] if name in self._data else numpy_helper.to_array(self._tensors[name])
        node, shape = self._makers.get(name), self.shape(name)
        if node is None or shape is None or math.prod(shape) > LARGEST or not is_function(node, self._opset):
            return None
        arrays = [self._array(n) if n else None for n in node.input]
        if any(n and a is None for n, a in zip(node.input, arrays, strict=True)):
            return None
        try:
            return evaluate_by_reference(node, self._opset, arrays)[list(node.output).index(name)]
        except Exception:  # malformed: the import says why
            return None

    def _put(
        self, node: onnx.NodeProto, graph: onnx.GraphProto, place: int, numbers: list[int], at: int | None, count: int
    ) -> None:
        """Gives a node integers as a new constant operand; entry `at` is `count` batches."""
        name = self._unused(node.input[place])
        array, probe = np.asarray(numbers, np.int64), np.asarray(numbers, np.int64)
        if at is not None:
            array[at], probe[at] = count * self._new, count * PROBE
        graph.initializer.append(numpy_helper.from_array(array, name))
        self._constant(name, numpy_helper.from_array(probe, name))
        node.input[place] = name

    def _unused(self, hint: str) -> str:
        name = f"{hint}_batch_{self._new}"
        while name in self.types:
            name += "_"
        return name


def _resolved(target: Sequence[int], before: Sequence[int], copies: bool) -> list[int] | None:
    """The shape that a reshape gives, -1 and 0 resolved; None when it does not fit."""
    after = [before[k] if n == 0 and copies and k < len(before) else n for k, n in enumerate(target)]
    rest = math.prod(n for n in after if n != -1)
    if after.count(-1) == 1 and rest and math.prod(before) % rest == 0:
        after[after.index(-1)] = math.prod(before) // rest
    return after if min(after, default=1) >= 0 and math.prod(after) == math.prod(before) else None
