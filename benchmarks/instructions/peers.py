"""The C of others for the same networks, on the same simulated machines: ESP-NN's portable kernels and onnx2c's output.

Neither is part of this project. ESP-NN is compiled from a folder of its sources, called by the C that tinyc generates
with `kernels=esp-nn`; onnx2c is a program on this computer that makes C of an ONNX model.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import Machine, MissingTool
from tinyc.backends.runners.tools import tools_for
from tinyc.compiler.session import Compilation
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array

ESP_NN_VARIABLE, ONNX2C_VARIABLE = "ESP_NN_SOURCE", "ONNX2C"
"""The variables that name ESP-NN's sources, which has include/ and src/, and the program onnx2c."""
PEER_SLACK = 1e-5
"""What probabilities of onnx2c's C may differ by: batch norms folded before, in float32, and another order of sums."""
CONTRACTED = "-ffp-contract=fast"
"""gcc's default outside of ISO C: onnx2c's users get it."""


def esp_nn_version(folder: Path) -> str:
    """As its component file has it; empty where there is none."""
    path = folder / "idf_component.yml"
    found = (
        re.search(r'^version: *"?([^"\n]+)', path.read_text(encoding="utf-8"), re.MULTILINE) if path.exists() else None
    )
    return found[1] if found else ""


def esp_nn_library(folder: Path, machine: Machine, flags: Sequence[str], into: Path) -> Path:
    """Compiles ESP-NN's portable C for a machine.

    Args:
        folder: its sources.
        machine: what for.
        flags: options of the compiler behind -O2, which is what its own build has.
        into: a new folder for what is made.

    Returns:
        The folder, with include/ and libesp-nn.a.

    Raises:
        MissingTool: it has no sources, or there is no compiler.
        TinycError: they do not compile.
    """
    sources = sorted(p for kind in ("ansi", "opt") for p in folder.resolve().glob(f"src/*/*_{kind}.c"))
    if not sources or not (folder / "include" / "esp_nn.h").exists():
        raise MissingTool(f"{folder} has no sources of ESP-NN: no src/*/*_ansi.c, or no include/esp_nn.h")
    cc = tools_for(machine).compiler
    shutil.copytree(folder / "include", into / "include")
    includes = [f"-I{into.resolve() / 'include'}", f"-I{folder.resolve() / 'src' / 'common'}"]
    options = ["-std=gnu11", "-O2", *flags, "-fwrapv", "-ffunction-sections", "-DCONFIG_NN_OPTIMIZED=1"]
    _called([*cc, *machine.flags, *options, *includes, "-c", *map(str, sources)], into)
    archiver = _called([*cc, "-print-prog-name=ar"], into).strip()
    _called([archiver, "rcs", "libesp-nn.a", *(f"{p.stem}.o" for p in sources)], into)
    return into


def onnx2c_source(program: str, model: onnx.ModelProto, made: Compilation) -> CSource:
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


def _called(command: Sequence[str], folder: Path) -> str:
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode:
        raise TinycError(f"{' '.join(command[:3])} ... fails: {found.stderr[-2000:]}")
    return found.stdout


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
