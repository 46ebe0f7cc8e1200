"""Kernel libraries for tests: a small implementation that lies beside, and real ones where the environment has them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import STRICT
from tests.kernels.cases import Layers
from tests.rows import lowered
from tinyc.backends.c import CSource, generate
from tinyc.backends.c.estimate import family_of, instructions
from tinyc.backends.interpreter import run_program
from tinyc.backends.libraries import EspNN, Kernels, libraries
from tinyc.backends.runners import HostRunner
from tinyc.backends.runners.host import find_compiler
from tinyc.backends.runners.linked import VARIABLES
from tinyc.backends.targets import find
from tinyc.compiler.lowering.tuning import tuning_of
from tinyc.ir import Value
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import InputPlace
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream.choose_kernels import ChooseKernels

HERE = Path(__file__).parent
ROOMY = 1 << 30
CHIPS = ("", "esp32s3", "esp32p4")


def build(folder: Path, name: str, *flags: str) -> Path:
    """The small implementation of a library as a folder that generated code is linked with."""
    source = HERE / name.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "include").exists():
        (folder / "include").symlink_to(source / "include")
    files = sorted(str(f) for f in source.glob("*.c"))
    made = str(folder / "library.o")
    options = ["-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-pedantic", "-Werror", *flags]
    options.append(f"-I{source / 'include'}")
    subprocess.run([find_compiler(), *options, "-c", *files, "-o", made], check=True)
    subprocess.run(["ar", "rcs", str(folder / f"lib{name}.a"), made], check=True)
    return folder


def real(name: str) -> Path:
    """The folder of the real library; skips the test where the environment names none that is built."""
    path = os.environ.get(VARIABLES[name])
    if not path or not (Path(path) / f"lib{name}.a").exists():
        pytest.skip(f"{VARIABLES[name]} names no folder with {name}'s headers and lib{name}.a, built outside")
    return Path(path)


def choose(
    program: RowProgram,
    chip: str = "",
    kernels: Kernels = "esp-nn",
    budget: int | None = None,
    isa: str = "",
    always: bool = True,
) -> RowProgram:
    """The program with kernels chosen, planned."""
    target = find(chip or "esp32")
    ours = partial(instructions, tuning=tuning_of("balanced", target), family=family_of(target.isa))
    chosen = ChooseKernels(libraries(kernels, chip, isa), always, budget, ours=ours).run(program)
    return PlanArena(seconds=0.05).run(chosen)


def layers(maker: Layers, outputs: Sequence[Value], chip: str = "", place: InputPlace = "arena") -> RowProgram:
    """The program of layers side by side, with ESP-NN's kernels: for the whole where it can be, else row by row."""
    return choose(lowered(maker.builder.build([*outputs, *maker.kept]), place), chip, budget=ROOMY)


def compare(
    program: RowProgram,
    arrays: Sequence[Array],
    folders: Mapping[str, Path],
    flags: Sequence[str] = (),
    compiler: str | None = None,
) -> CSource:
    """Asserts that the C computes what the interpreter does, bit for bit."""
    source = generate(program, name="net")
    want = run_program(program, list(arrays))
    runner = HostRunner(source, cc=compiler, flags=(*STRICT, *flags), libraries=folders)
    for got in runner.run([list(arrays), list(arrays)]):
        wrong = [
            f"{value}: {int((g != w).sum())} of {w.size}"
            for value, g, w in zip(program.outputs, got, want, strict=True)
            if not np.array_equal(g, w)
        ]
        assert not wrong, "\n".join(wrong[:20])
    return source


def gates(maker: Layers, outputs: Sequence[Value], chip: str = "") -> dict[str, str]:
    """What keeps each layer from being computed as a whole by ESP-NN, by result; "" where nothing does."""
    program, library = lowered(maker.builder.build([*outputs, *maker.kept]), "arena"), EspNN(chip)
    offers = {s.result.name: library.offer(program, s, True) for s in program.stages}
    return {name: offer if isinstance(offer, str) else "" for name, offer in offers.items()}


def notes(program: RowProgram) -> dict[str, str]:
    """Why each stage has the kernels it has, by result; of those that a library computes, its name."""
    return {s.result.name: s.kernel.library or s.kernel.note for s in program.stages}
