"""From an ONNX model to a module: walks the nodes that matter and hands each to its handler."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import onnx

from tinyc.compiler.frontend.constants import evaluate_by_reference, is_function
from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.errors import BatchError, FrontendError
from tinyc.compiler.frontend.functions import function_body, resolve_references
from tinyc.compiler.frontend.limits import check_elements
from tinyc.compiler.frontend.model import input_dtype, real_inputs, tensor_array
from tinyc.compiler.frontend.node import OnnxNode, Scope, node_loc, normal_domain, operator_name
from tinyc.compiler.frontend.order import mentioned
from tinyc.compiler.frontend.registry import Handler, handler_for
from tinyc.compiler.frontend.support import ADVICE, live_nodes
from tinyc.ir import Module, Node, TensorType, TinycError, Value
from tinyc.ir.blame import OURS, blame
from tinyc.ir.module import remove_dead
from tinyc.ir.op import unused
from tinyc.ir.ops import Concat

TO_NHWC = (0, 2, 3, 1)
TO_NCHW = (0, 3, 1, 2)
TO_NLC = (0, 2, 1)
LAYOUTS: Mapping[str, Mapping[int, tuple[int, ...]]] = {"onnx": {}, "nhwc": {4: TO_NHWC}, "nlc": {3: TO_NLC}}
"""By the name of a layout: how inputs and outputs of so many dimensions are transposed from what the ONNX model has."""
MOST_SAMPLES = 64
"""Operators of one sample are repeated for so many at most."""


class Importer:
    """One import. After `run`, `module` is the result and `tensors` says which ONNX tensor each value is."""

    def __init__(
        self,
        model: onnx.ModelProto,
        opset: int,
        name: str,
        perms: Mapping[int, tuple[int, ...]],
        given: Mapping[int, tuple[int, ...]],
    ) -> None:
        self.model = model
        self.opset = opset
        self.perms, self.given = perms, given
        self.ctx = Context(name, self._branch)
        self.inputs: list[Value] = []
        self.by_sample = ""
        """The first node that takes one sample at a time and is given several, with how many; empty without any."""
        self._tensors: dict[str, Value] = {}

    def run(self) -> tuple[Module, Mapping[str, Value]]:
        """Imports the graph: the module, and the value of each ONNX tensor it computes. Raises `FrontendError`."""
        graph = self.model.graph
        scope = Scope()
        for info in real_inputs(self.model):
            scope.values[info.name] = self._input(info)
        self._graph(graph, scope, "", self.opset)
        self._tensors = {name: value for name, value in scope.values.items() if value is not None}
        outputs = [self._output(scope, info.name) for info in graph.output]
        return self._finish(outputs)

    def _input(self, info: onnx.ValueInfoProto) -> Value:
        dtype = input_dtype(info)
        shape = tuple(int(d.dim_value) for d in info.type.tensor_type.shape.dim)
        check_elements(shape, f'input "{info.name}"')
        perm = self.perms.get(len(shape))
        if perm is None:
            self.inputs.append(self.ctx.builder.input(info.name, TensorType(shape, dtype)))
            return self.inputs[-1]
        last = TensorType(tuple(shape[p] for p in perm), dtype)
        self.inputs.append(self.ctx.builder.input(info.name, last))
        self.ctx.loc = self.ctx.hint = info.name
        return self.ctx.transpose(self.inputs[-1], tuple(perm.index(d) for d in range(len(perm))))

    def _output(self, scope: Scope, name: str) -> Value:
        value = self._result(scope, name)
        perm = self.given.get(value.type.rank)
        if perm is None:
            return value
        self.ctx.loc = self.ctx.hint = name
        return self.ctx.transpose(value, perm)

    def _result(self, scope: Scope, name: str) -> Value:
        value = scope.find(name)
        if value is None:
            raise FrontendError(f'the output "{name}" is produced by nothing in the graph')
        return value

    def _graph(self, graph: onnx.GraphProto, scope: Scope, prefix: str, opset: int) -> None:
        """Imports initialisers and nodes that the graph's outputs need into `scope`."""
        live = live_nodes(graph)
        used = set(mentioned(n for _, n in live)) | {o.name for o in graph.output}
        for sparse in graph.sparse_initializer:
            if sparse.values.name in used:
                name = sparse.values.name
                raise FrontendError(f'the initialiser "{name}" is sparse: store it as an ordinary (dense) tensor')
        self.ctx.loc = self.ctx.hint = ""
        for tensor in graph.initializer:
            if tensor.name in used:
                array = tensor_array(tensor, f'the initialiser "{tensor.name}"')
                scope.values[tensor.name] = self.ctx.constant(array, tensor.name)
        for index, proto in live:
            self._node(proto, prefix + node_loc(proto, index), scope, opset)

    def _branch(self, graph: onnx.GraphProto, outer: Scope) -> list[Value]:
        scope = Scope(outer=outer)
        self._graph(graph, scope, f"{self.ctx.loc}/", self.opset)
        return [self._result(scope, info.name) for info in graph.output]

    def _node(self, proto: onnx.NodeProto, loc: str, scope: Scope, opset: int) -> None:
        operands = tuple(self._operand(name, loc, scope) for name in proto.input)
        node = OnnxNode(proto, loc, opset, operands, {a.name: a for a in proto.attribute}, scope)
        self.ctx.loc = loc
        self.ctx.hint = next((name for name in proto.output if name), loc)
        try:
            results = self._import(node)
        except FrontendError:
            raise
        except TinycError as error:
            raise node.error(str(error)) from error
        except Exception as error:  # malformed attributes and shapes show in many ways
            handler = handler_for(operator_name(proto))
            if handler is not None and not handler.__module__.startswith(OURS):
                named = f"{handler.__module__}.{handler.__name__}"
                raise node.error(f"its import by {named} failed: {blame(error)}") from error
            raise node.error(f"is malformed ({type(error).__name__}: {' '.join(str(error).split())})") from error
        for k, name in enumerate(proto.output):
            if name in scope.values:
                raise node.error(f'its output "{name}" has the name of another tensor')
            if name:
                scope.values[name] = results[k] if k < len(results) else None  # None: see `Scope`
                scope.why[name] = f'{node.where}: its output {k} ("{name}") is not supported'

    def _operand(self, name: str, loc: str, scope: Scope) -> Value | None:
        if not name:
            return None
        value = scope.find(name)
        if value is None:
            raise FrontendError(f'node {loc}: its input "{name}" is produced by no input, initialiser or other node')
        return value

    def _import(self, node: OnnxNode) -> Sequence[Value | None]:
        own_domain = normal_domain(node.proto.domain) == ""
        handler = handler_for(operator_name(node.proto))
        if handler is not None:
            try:
                return self._handled(handler, node)
            except BatchError:
                x = node.operand(0)
                if not 1 < x.shape[0] <= MOST_SAMPLES:
                    raise
            self.by_sample = self.by_sample or f"{node.where}: the batch is {x.shape[0]}"
            samples = (dataclasses.replace(node, operands=(one, *node.operands[1:])) for one in self._samples(x))
            return [self._joined(parts) for parts in zip(*(self._handled(handler, s) for s in samples), strict=True)]
        arrays = [self.ctx.data(v) for v in node.operands]
        known = all(a is not None or v is None for a, v in zip(arrays, node.operands, strict=True))
        if known and is_function(node.proto, node.opset):
            return [self.ctx.constant(a) for a in evaluate_by_reference(node.proto, node.opset, arrays)]
        function = function_body(node.proto, node.opset, node.operands) if own_domain else None
        if function is None:
            raise node.error(f"tinyc does not support this operator: {ADVICE}")
        return self._function(node, function)

    def _handled(self, handler: Handler, node: OnnxNode) -> tuple[Value | None, ...]:
        result = handler(self.ctx, node)
        results = (result,) if isinstance(result, Value) else tuple(result)
        given: list[object] = list(results)
        if wrong := [g for g in given if not isinstance(g, Value | None)]:
            raise TypeError(f"it gave {type(wrong[0]).__name__}, and has to give a Value, or one for each output")
        return results

    def _samples(self, x: Value) -> list[Value]:
        return [self.ctx.part(x, 0, k, 1) for k in range(x.shape[0])]

    def _joined(self, parts: Sequence[Value | None]) -> Value | None:
        """One output of several samples; None where it is not supported."""
        known = tuple(p for p in parts if p is not None)
        return self.ctx.emit(Concat(known, 0)) if len(known) == len(parts) else None

    def _function(self, node: OnnxNode, function: onnx.FunctionProto) -> Sequence[Value | None]:
        """Expands a composite operator through ONNX's own definition of it, which may leave out unused outputs."""
        given = (*node.operands, *(None,) * (len(function.input) - len(node.operands)))
        scope = Scope({name: value for name, value in zip(function.input, given, strict=True) if value is not None})
        absent = {name for name, value in zip(function.input, given, strict=True) if value is None}
        opset = next((o.version for o in function.opset_import if normal_domain(o.domain) == ""), node.opset)
        for proto in resolve_references(function, node.attributes, absent):
            self._node(proto, node.loc, scope, opset)
        return [scope.find(name) for name in function.output]

    def _finish(self, outputs: Sequence[Value]) -> tuple[Module, Mapping[str, Value]]:
        """Drops what no output needs, and gives values that are an ONNX tensor the name of that tensor. Inputs and
        outputs have their names in the layout in which they lie, but an output that is an input in another one."""
        module = remove_dead(self.ctx.builder.build(outputs))
        names: dict[Value, str] = {v: v.name for v in module.inputs}
        inputs = set(names.values())
        for info, value in zip(self.model.graph.output, module.outputs, strict=True):
            if value.type.rank in self.given and info.name not in inputs:
                names.setdefault(value, info.name)
        taken = set(names.values())
        for name, value in self._tensors.items():
            if name not in taken:
                names.setdefault(value, name)
        return _renamed(module, names, self._tensors)


def _renamed(
    module: Module, names: Mapping[Value, str], tensors: Mapping[str, Value]
) -> tuple[Module, Mapping[str, Value]]:
    taken = set(names.values())
    mapping: dict[Value, Value] = {v: v for v in module.inputs}
    nodes: list[Node] = []
    for node in module.nodes:
        name = names.get(node.result) or unused(node.result.name, taken)
        taken.add(name)
        op = node.op.replace_operands(mapping)
        mapping[node.result] = Value(name, node.result.type)
        nodes.append(Node(mapping[node.result], op, node.loc))
    result = Module(module.name, module.inputs, tuple(nodes), tuple(mapping[v] for v in module.outputs))
    return result, {name: mapping[value] for name, value in tensors.items() if value in mapping}


def count_parameters(model: onnx.ModelProto) -> int:
    """Elements of the floating-point initialisers and constants that the outputs need, as they are in the file."""
    graph = model.graph
    live = [node for _, node in live_nodes(graph)]
    used = set(mentioned(live))
    tensors = [t for t in graph.initializer if t.name in used]
    tensors += [a.t for n in live if n.op_type == "Constant" for a in n.attribute if a.name == "value"]
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE)
    return sum(math.prod(t.dims) for t in tensors if t.data_type in floats)
