"""What a compiled network costs on a simulated machine, as data."""

from __future__ import annotations

from typing import Any, TypedDict

from tinyc.backends.runners import MACHINES, Machine, SimulatorRunner
from tinyc.backends.targets import builtin
from tinyc.compiler.report.times import has_times, time_document
from tinyc.compiler.session.compilation import Compilation
from tinyc.ir.errors import TinycError


class MeasuredLayer(TypedDict):
    """What one layer costs."""

    index: int
    name: str
    operator: str
    macs: int
    instructions: int


class Measured(TypedDict):
    """What one inference costs, as `tinyc bench` tells it.

    Sizes are in bytes. `instructions` counts the call of the network without what gives it its input; those of `layers`
    are from another build, so that their sum is only near it. A layer without elements has no instructions.
    `weights_bytes` are the arrays of the generated constants, `constants_bytes` what they and other constants of the
    generated files take in the linked program.
    `time` is the estimate for the target, or for the machine's chip where the target is any computer, with these
    instructions; None for a target that has not the machine's instruction set.
    `instructions_per_mac` is None for a network without multiply-accumulates.
    """

    model: str
    on: str
    chips: str
    instructions: int
    macs: int
    instructions_per_mac: float | None
    stack_bytes: int
    code_bytes: int
    constants_bytes: int
    arena_bytes: int
    weights_bytes: int
    time: dict[str, Any] | None
    note: str
    layers: list[MeasuredLayer]


def find_machine(name: str) -> Machine:
    """A simulated machine. Raises `TinycError` when there is none of that name."""
    if name in MACHINES:
        return MACHINES[name]
    known = ", ".join(f"{m.name} ({m.chips})" for m in MACHINES.values())
    reason = "instructions are counted on simulated machines only" if name in ("host", "interpreter") else "unknown"
    raise TinycError(f"cannot bench on {name!r}: {reason}; the machines are {known}")


def measure_on(compiled: Compilation, machine: Machine) -> Measured:
    """Measures one inference, of the first of the samples that the compilation has.

    Raises:
        MissingTool: the simulator is not installed.
        RunnerError: the generated code does not compile, or fails.
    """
    return measured(compiled, SimulatorRunner(compiled.source, machine))


def measured(compiled: Compilation, runner: SimulatorRunner) -> Measured:
    """The same with a runner of this compilation's C. Raises `RunnerError` when the program fails."""
    program, source, machine = compiled.program, compiled.source, runner.machine
    found = runner.measure(list(compiled.lowered.samples[0]))
    by_stage = {stage.number: count for stage, count in zip(source.stages, found.layers, strict=True)}
    macs = program.macs()
    return {
        "model": source.name,
        "on": machine.name,
        "chips": machine.chips,
        "instructions": found.instructions,
        "macs": macs,
        "instructions_per_mac": round(found.instructions / macs, 3) if macs else None,
        "stack_bytes": found.stack_bytes,
        "code_bytes": found.code_bytes,
        "constants_bytes": found.constant_bytes,
        "arena_bytes": source.arena_bytes,
        "weights_bytes": source.weights_bytes,
        "time": _time(compiled, machine, [by_stage.get(k, 0) for k in range(len(program.stages))]),
        "note": _note(compiled, machine),
        "layers": [
            {
                "index": number,
                "name": stage.loc or stage.result.name,
                "operator": stage.op.mnemonic,
                "macs": stage.op.macs(),
                "instructions": by_stage.get(number, 0),
            }
            for number, stage in enumerate(program.stages)
        ],
    }


def _time(compiled: Compilation, machine: Machine, counts: list[int]) -> dict[str, Any] | None:
    """The estimated time with these instructions."""
    chips = [compiled.target, *(builtin().values() if compiled.target.isa == "host" else ())]
    target = next((t for t in chips if t.simulator == machine.name and has_times(t)), None)
    return None if target is None else time_document(compiled.times(counts, target), target, counted=True)


def _note(compiled: Compilation, machine: Machine) -> str:
    """Of how many calls the count is, and what makes it large that a user can do something about."""
    calls = compiled.source.calls
    notes = [f"the count is of {calls} calls, which are the model's window"] if calls else []
    floats = [s for s in compiled.program.stages if s.result.dtype.is_float and s.op.macs()]
    if floats and not machine.has_float:
        notes.append(
            f"{machine.chips} has no floating-point unit: {len(floats)} layer(s) compute their multiply-accumulates in "
            "software, at tens of times the cost of integers; `quantise=QuantiseOptions(...)` makes them integers"
        )
    return "; ".join(notes)
