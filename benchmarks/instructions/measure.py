"""Counts what a case costs: what tinyc makes of it, and what others do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks import esp_nn
from benchmarks.building import FLOAT_SLACK, compiled, held
from benchmarks.instructions import onnx2c
from benchmarks.instructions.cases import MANY, PLAIN, TARGETS, Case, Limits, swept
from benchmarks.instructions.row import Plain, Row
from tinyc.backends.runners import MACHINES, Machine, SimulatorRunner
from tinyc.backends.targets import find
from tinyc.compiler.lowering.fit import FitError
from tinyc.compiler.session import Compilation
from tinyc.compiler.session.measure import MeasuredLayer, measured
from tinyc.ir.errors import TinycError
from tinyc.ir.ops import Conv2d, QConv2d
from tinyc.ir.ops.layer import WeightedLayer

FLAGS = ("-O2", "-Os")
"""What is counted side by side."""
OURS = "tinyc"


@dataclass(frozen=True)
class Asked:
    """What is measured of every case: flags of the C compiler, one row each; another machine than the case's, if one is
    named; more options of `tinyc.Options`; and where the C of others is, none where it is not wanted."""

    flags: tuple[str, ...] = FLAGS
    machine: str = ""
    options: Mapping[str, str] | None = None
    esp_nn: str = ""
    onnx2c: str = ""


def measure(name: str, case: Case, asked: Asked) -> Iterator[Row]:
    """The rows of a case: tinyc's, then its peer's, if that is there.

    Raises:
        TinycError: a result is not the interpreter's, or a tool is missing.
        FileNotFoundError: published weights are missing.
    """
    machine = MACHINES[asked.machine or case.machine]
    usual = machine.name == case.machine and not asked.options
    model = case.network()
    made = _made(name, case, asked, machine, model)
    start = Row(name, OURS, machine.name, TARGETS[machine.name], made.program.macs(), _weights(made))
    for number, flags in enumerate(asked.flags):
        runner = SimulatorRunner(made.source, machine, flags.split())
        held(made, runner, FLOAT_SLACK if case.quantised is None else 0.0)
        limits = case.limits if usual and number == 0 else Limits()
        row = replace(_counted(start, made, runner), flags=flags, limits=limits)
        plain = _plain(name, case, asked, machine, model, flags) if limits.growth is not None else None
        yield replace(row, plain=plain)
    if case.peer == "esp-nn" and asked.esp_nn:
        yield from _esp_nn(start, case, asked, machine, model)
    if case.peer == "onnx2c" and asked.onnx2c:
        yield from _onnx2c(start, made, asked, machine, model)


def skipped(name: str, case: Case, machine: str, because: str) -> Row:
    """The row of a case that cannot be counted."""
    return Row(name, OURS, machine or case.machine, "", 0, 0, limits=case.limits, skipped=because)


def _made(name: str, case: Case, asked: Asked, machine: Machine, model: onnx.ModelProto, **more: str) -> Compilation:
    calibration = case.calibration() if case.calibration and case.quantised else None
    options: dict[str, Any] = {**case.options, **(asked.options or {}), **more}
    options = {"target": TARGETS[machine.name], "verify": False} | options
    try:
        return compiled(model, name, case.quantised, calibration, **options)
    except FitError:
        if "arena_in" in options or not find(TARGETS[machine.name]).psram_bytes:
            raise
        # Where the arena lies changes no instruction.
        return compiled(model, name, case.quantised, calibration, **options, arena_in="psram")


def _plain(name: str, case: Case, asked: Asked, machine: Machine, model: onnx.ModelProto, flags: str) -> Plain:
    """The same network for the chip without MAC16 and vectors; its results must be the interpreter's too."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "plain.toml"
        target.write_text(f'base = "{TARGETS[machine.name]}"\nname = "plain"\n{PLAIN}', encoding="ascii")
        made = _made(name, case, asked, machine, model, target=str(target))
    runner = SimulatorRunner(made.source, machine, flags.split())
    held(made, runner, FLOAT_SLACK if case.quantised is None else 0.0)
    return Plain(runner.measure(list(made.lowered.samples[0])).instructions, made.source.arena_bytes)


def _weights(made: Compilation) -> int:
    """Bytes of what layers multiply with, each once."""
    found = {s.op.w: s.op.w.type.bytes for s in made.program.stages if isinstance(s.op, WeightedLayer)}
    return sum(found.values())


def _counted(row: Row, made: Compilation, runner: SimulatorRunner) -> Row:
    found = measured(made, runner)
    return replace(
        row,
        instructions=found["instructions"],
        code=found["code_bytes"],
        constants=found["constants_bytes"],
        stack=found["stack_bytes"],
        arena=found["arena_bytes"],
        layers=tuple(found["layers"]),
        pointwise=_pointwise(made, found["layers"]),
        scratch=max(
            (made.program.buffer[s.kernel.scratch.name].bytes for s in made.program.stages if s.kernel.scratch),
            default=0,
        ),
    )


def _pointwise(made: Compilation, layers: Sequence[MeasuredLayer]) -> float | None:
    """Instructions of a multiply-accumulate in the pointwise layer of many inputs that takes most of them. One of a
    single pixel is a dense layer."""
    many = [
        layers[number]["instructions"] / op.macs()
        for number, op in enumerate(stage.op for stage in made.program.stages)
        if isinstance(op, (Conv2d, QConv2d)) and op.window() == (1, 1)
        if op.x.shape[-1] >= MANY and op.type.size > op.type.shape[-1]
    ]
    return max(many, default=None)


def _esp_nn(row: Row, case: Case, asked: Asked, machine: Machine, model: onnx.ModelProto) -> Iterator[Row]:
    """The same network with ESP-NN's kernels wherever they are exact; its results must be the interpreter's too."""
    folder, form = Path(asked.esp_nn), esp_nn.best_form(machine)
    made = _made(row.case, case, asked, machine, model, kernels=esp_nn.LIBRARY)
    theirs = sum(stage.kernel.library == esp_nn.LIBRARY for stage in made.program.stages)
    by = f"ESP-NN {esp_nn.version_of(folder)}, {theirs} of {len(made.program.stages)} layers"
    for flags in asked.flags:
        with tempfile.TemporaryDirectory() as into:
            library = esp_nn.built(folder, machine, form, flags.split(), Path(into))
            runner = esp_nn.runner(made.source, machine, form, flags.split(), library)
            held(made, runner, 0.0)
            yield replace(_counted(row, made, runner), by=by, flags=flags)


def _onnx2c(row: Row, made: Compilation, asked: Asked, machine: Machine, model: onnx.ModelProto) -> Iterator[Row]:
    """onnx2c's C of a float network, which sums in another order."""
    source = onnx2c.generated(asked.onnx2c, model, made)
    sample = list(made.lowered.samples[0])
    for flags in asked.flags:
        runner = SimulatorRunner(source, machine, (*flags.split(), onnx2c.CONTRACTED))
        (own,), (wanted,) = runner.run([sample])[0], made(*sample).values()
        if not np.allclose(own, wanted, rtol=0.0, atol=onnx2c.SLACK):
            raise TinycError(f"{row.case}: onnx2c's C gives other numbers than the interpreter")
        found = runner.measure(sample)
        yield replace(
            row,
            by="onnx2c",
            flags=flags,
            instructions=found.instructions,
            code=found.code_bytes,
            constants=found.constant_bytes,
            stack=found.stack_bytes,
        )


def sweep(asked: Asked) -> Iterator[tuple[float, int, Row]]:
    """MobileNetV1 in int8, by width and resolution, with the first flags. Raises as `measure` does."""
    for (width, resolution), case in swept().items():
        (row,) = measure(f"mobilenet_v1_{width}_{resolution}", case, replace(asked, flags=asked.flags[:1]))
        yield width, resolution, row
