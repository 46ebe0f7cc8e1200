"""What the tests of packages share: small networks with every kind of input, packed in every form, and compilers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

import tinyc
from benchmarks.networks import Graph
from tests.c.support import SANITIZE
from tests.helpers import ROOT
from tinyc.backends.runners.exchange import MissingTool
from tinyc.backends.runners.machines import MACHINES
from tinyc.backends.runners.simulator import toolchain
from tinyc.backends.runners.tools import tools_for
from tinyc.compiler.data.calibration import Normalise
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Compilation

STUBS = ROOT / "tests" / "stubs"
WARNINGS = ("-Wall", "-Wextra", "-Werror")
MEAN, DEVIATION = 120.5, 61.25
EACH = Normalise((123.5, 116.25, 103.5), (58.25, 57.0, 57.5))

GIVEN_INTEGERS = {"rows_to": "callback", "image": 3, "output_type": "int8"}
CAUSAL = 2
CASES = {
    "arena": {},
    "argument": {"rows_from": "argument"},
    "int8": {"quantise": "int8", "output_type": "int8"},
    "rows": {"rows_from": "callback"},
    "rows-int8": {"rows_from": "callback", "quantise": "int8"},
    "rows-int8-each": {"rows_from": "callback", "quantise": "int8", "normalise": EACH},
    "rows-uint8": {"rows_from": "callback", "quantise": "uint8"},
    "rows-grey": {"rows_from": "callback", "channels": 1},
    "rows-other": {"rows_from": "callback", "channels": 2},
    "no-arena": {"rows_from": "argument", "layers": 0},
    "two-outputs": {"outputs": 2},
    "given": {"rows_to": "callback", "image": 3},
    "given-beside": {"rows_to": "callback", "image": 1, "outputs": 2},
    "rows-given": {"rows_from": "callback", "rows_to": "callback", "image": 3},
    "rows-given-int8": {"rows_from": "callback", "rows_to": "callback", "image": 1, "quantise": "int8"},
    "steps": {"hop": 4, "layers": CAUSAL},
    "rows-int8-given": {"rows_from": "callback", "quantise": "int8", **GIVEN_INTEGERS},
}
"""How inputs come and outputs go, and as what; and networks that lack something."""


@cache
def folder() -> Path:
    """A folder for networks, until the tests end."""
    made = tempfile.TemporaryDirectory(prefix="tinyc-packages-")
    _KEPT.append(made)
    return Path(made.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@cache
def model(channels: int, layers: int, outputs: int, image: int = 0) -> Path:
    """An ONNX file: 20x20 pixels through a stem, a depthwise and a pointwise layer; or no more than a ReLU, or a layer
    that looks at no row below. With `image`, an image of as many channels comes out."""
    path = folder() / f"small_{channels}_{layers}_{outputs}_{image}.onnx"
    g = Graph("small", (1, channels, 20, 20))
    if layers == CAUSAL:
        g.conv("rows", g.random(2, channels, 3, 3), g.random_bias(2), pads=[2, 1, 0, 1])
        onnx.save(g.model((1, 2, 20, 20)), path)
        return path
    if layers:
        g.conv("stem", g.random(4, channels, 3, 3), g.random_bias(4), strides=[2, 2], pads=[0, 0, 1, 1])
        g.relu6("stem_relu")
        g.conv("dw", g.random(4, 1, 3, 3), pads=[1, 1, 1, 1], group=4)
        g.conv("pw", g.random(image or 8, 4, 1, 1))
    if image:
        made = g.model((1, image, 10, 10))
        if outputs == 2:
            g.add("GlobalAveragePool", "pool")
            made = g.model((1, image, 1, 1))
            made.graph.output.insert(0, helper.make_tensor_value_info("pw", TensorProto.FLOAT, (1, image, 10, 10)))
        onnx.save(made, path)
        return path
    if layers:
        g.add("GlobalAveragePool", "pool")
        g.add("Flatten", "flatten")
        g.add("Gemm", "dense", g.weight("dense_w", g.random(12, 8)), transB=1)
        made = g.model((1, 12))
    else:
        g.add("Relu", "relu")
        made = g.model((1, channels, 20, 20))
    if outputs == 2:
        made.graph.output.append(helper.make_tensor_value_info("flatten", TensorProto.FLOAT, (1, 8)))
    onnx.save(made, path)
    return path


@cache
def packed(case: str, format: str, target: str = "esp32s3", **options: str) -> Compilation:
    """A network packed in a form."""
    given: dict[str, Any] = dict(CASES[case])
    channels = given.pop("channels", 3)
    file = model(channels, given.pop("layers", 1), given.pop("outputs", 1), given.pop("image", 0))
    element, output_type = given.pop("quantise", ""), given.pop("output_type", "float32")
    if element:
        samples = folder() / "samples.npz"
        pixels = np.random.default_rng(3).integers(0, 256, (4, 3, 20, 20))
        np.savez(samples, image=((pixels - MEAN) / DEVIATION).astype(np.float32))
        normalise = given.pop("normalise", Normalise(MEAN, DEVIATION))
        given["quantise"] = QuantiseOptions(samples, input_type=element, output_type=output_type, normalise=normalise)
    compile: Any = tinyc.compile
    made = compile(file, name="small", target=target, format=format, verify=False, **given, **options)
    assert isinstance(made, Compilation)
    return made


def need(*tools: str) -> None:
    """Skips the test where a program is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def need_riscv() -> None:
    """Skips the test where the RISC-V compiler or its C library is missing."""
    try:
        tools_for(MACHINES["rv32imc"])
    except MissingTool as error:
        pytest.skip(str(error))


def riscv(language: str, sources: Sequence[Path], includes: Sequence[Path], defines: Sequence[str], to: Path) -> None:
    """Compiles for the ESP32-C3's instruction set, as the simulator's runner does, into a folder; warnings are errors.

    C++ is compiled by this computer's compiler where there is none for RISC-V.
    """
    tools = toolchain(MACHINES["rv32imc"])
    command, flags = tools.cc, [f for f in tools.flags if not f.startswith("-std")]
    if language == "c++":
        command = tools.cc.replace("gcc", "g++")
        if shutil.which(command) is None:
            need("g++")
            command, flags = "g++", ["-O2"]
    standard = "-std=gnu++17" if language == "c++" else "-std=gnu17"
    texts = ["-x", language, *(str(s.resolve()) for s in sources)]
    run([command, *flags, standard, *WARNINGS, *_options(includes, defines), "-c", *texts], to)


HOST = ("-ffp-contract=off", *SANITIZE)


def host_objects(sources: Sequence[Path], includes: Sequence[Path], to: Path) -> list[Path]:
    """Compiles C and C++ with sanitisers, as for an ESP32 but for the computer, into a folder."""
    made = []
    for source in sources:
        made.append(to / f"{source.parent.name}-{source.stem}.o")
        c = source.suffix == ".c"
        language = ["gcc", "-std=gnu17"] if c else ["g++", "-std=gnu++17", "-x", "c++", "-include", "Arduino.h"]
        options = _options([*includes, STUBS], ["ESP_PLATFORM"])
        run([*language, *HOST, *options, "-c", str(source), "-o", str(made[-1])], to)
    return made


def host_program(objects: Sequence[Path], to: Path) -> str:
    """What the program of these objects prints."""
    run(["g++", *HOST, *map(str, objects), "-lm", "-o", str(to / "program")], to)
    return run([str(to / "program")], to)


def _options(includes: Sequence[Path], defines: Sequence[str]) -> list[str]:
    return [*(f"-D{d}" for d in defines), *(f"-I{Path(i).resolve()}" for i in includes)]


def run(command: Sequence[str], cwd: Path, **environment: str) -> str:
    """What a command prints; the test fails with its errors if it does."""
    variables = {**os.environ, **environment}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"[:4000]
    return done.stdout


def picture(grey: bool) -> NDArray[np.uint8]:
    """The test picture of the examples, scaled to 20x20 as they do: [20, 20, channels]."""
    x, y = np.arange(160), np.arange(120)[:, None]
    if grey:
        frame = (x * y).astype(np.uint8)[..., None]
    else:
        red, green, blue = x * 31 // 159 + 0 * y, y * 63 // 119 + 0 * x, (x * y) & 31
        parts = [red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2]
        frame = np.stack(parts, axis=-1).astype(np.uint8)
    rows, columns = ((2 * np.arange(20) + 1) * n // 40 for n in frame.shape[:2])
    return np.ascontiguousarray(frame[rows[:, None], columns])
