"""onnx2c's C for the same networks, on the same simulated machines: a program on this computer that makes C of an ONNX
model, no part of this project."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import MissingTool
from tinyc.compiler.session import Compilation
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array

VARIABLE = "ONNX2C"
"""The variable that names the program."""
SLACK = 1e-5
"""What probabilities of its C may differ by: batch norms folded before, in float32, and another order of sums."""
CONTRACTED = "-ffp-contract=fast"
"""gcc's default outside of ISO C: onnx2c's users get it."""


def generated(program: str, model: onnx.ModelProto, made: Compilation) -> CSource:
    """The C that onnx2c makes of a float network with one input and one output, to be run as tinyc's own.

    Args:
        program: onnx2c.
        model: the network; its batch norms are folded first, which onnx2c does not do.
        made: the same as tinyc compiled it, with the model's own layout.

    Raises:
        MissingTool: there is no such program.
        TinycError: it refuses the model.
    """
    if shutil.which(program) is None:
        raise MissingTool(f"{program} is not there")
    (taken,), (given,) = made.source.inputs, made.source.outputs
    taken = replace(taken, place="argument")
    name = made.source.name
    upper = name.upper()
    macros = {f"{upper}_ARENA_BYTES": 0, f"{upper}_ARENA_ALIGN": 1}
    for port in (taken, given):
        macros |= {f"{port.macro}_SIZE": port.type.size, f"{port.macro}_BYTES": port.type.bytes}
    defined = "".join(f"#define {macro} {number}\n" for macro, number in macros.items())
    declared = f"void {name}_run(const float *{taken.name}, float *{given.name});"
    code = _onnx2c(program, folded(model))
    return CSource(
        name=name,
        files={
            f"{name}.h": f"{defined}{declared}\n",
            f"{name}.c": f'#include "{name}.h"\n{code}\n{declared.removesuffix(";")}\n'
            f"{{\n    entry((const void *){taken.name}, (void *){given.name});\n}}\n",
        },
        arena_bytes=0,
        arena_align=1,
        weights_bytes=0,
        inputs=(taken,),
        outputs=(given,),
        stages=(),
    )


def _onnx2c(program: str, model: onnx.ModelProto) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model.graph.name}.onnx"
        onnx.save(model, path)
        found = subprocess.run([program, str(path)], capture_output=True, check=False)
    if found.returncode:
        raise TinycError(f"{program} refuses {model.graph.name}: {found.stderr.decode(errors='replace')[-2000:]}")
    return found.stdout.decode("ascii", errors="backslashreplace")


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model without batch norms and pads of its own: those that follow a convolution are in its weights, zero pads
    before one in its pads. Others stay."""
    arrays = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    users = [name for node in model.graph.node for name in node.input]
    nodes: dict[str, onnx.NodeProto] = {}
    renamed: dict[str, str] = {}
    for original in model.graph.node:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        for k, name in enumerate(node.input):
            node.input[k] = renamed.get(name, name)
        before = nodes.get(node.input[0])
        alone = before is not None and users.count(before.output[0]) == 1
        if before is not None and alone and (before.op_type, node.op_type) == ("Conv", "BatchNormalization"):
            _fold_norm(before, node, arrays)
            renamed[node.output[0]] = before.output[0]
            continue
        if before is not None and alone and (before.op_type, node.op_type) == ("Pad", "Conv"):
            _fold_pad(before, node, arrays)
            del nodes[before.output[0]]
        nodes[node.output[0]] = node
    used = {name for node in nodes.values() for name in node.input}
    weights = [numpy_helper.from_array(a, name) for name, a in arrays.items() if name in used]
    graph = helper.make_graph(list(nodes.values()), model.graph.name, model.graph.input, model.graph.output, weights)
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    onnx.checker.check_model(made)
    return made


def _fold_norm(conv: onnx.NodeProto, norm: onnx.NodeProto, arrays: dict[str, Array]) -> None:
    epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
    scale, shift, mean, variance = (arrays[name].astype(np.float64) for name in norm.input[1:])
    factor = scale / np.sqrt(variance + epsilon)
    weights = arrays[conv.input[1]]
    bias = arrays[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(weights))
    w, b = f"{conv.name}_folded_w", f"{conv.name}_folded_b"
    arrays[w] = (weights * factor.reshape(-1, 1, 1, 1)).astype(np.float32)
    arrays[b] = ((bias - mean) * factor + shift).astype(np.float32)
    del conv.input[1:]
    conv.input.extend([w, b])


def _fold_pad(pad: onnx.NodeProto, conv: onnx.NodeProto, arrays: dict[str, Array]) -> None:
    more = arrays[pad.input[1]].reshape(2, 4)[:, 2:].reshape(-1)
    own = next((a for a in conv.attribute if a.name == "pads"), None)
    pads = [int(n) + (own.ints[k] if own else 0) for k, n in enumerate(more)]
    if own is not None:
        conv.attribute.remove(own)
    conv.attribute.append(helper.make_attribute("pads", pads))
    conv.input[0] = pad.input[0]
