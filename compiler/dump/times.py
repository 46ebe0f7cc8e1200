"""What `tinyc bench --from-log` tells: the cycles that a device printed, layer by layer, beside instructions.

A build with -DTINYC_TIMES prints `tinyc-times PROGRAM LAYER CYCLES;` for each layer after each inference, and then
`tinyc-times PROGRAM end LAYERS SUM MHZ;`. What stands before and behind these on a line, and other lines, are the
console's. An inference counts when all its layers arrived and their sum is the one that was printed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from tinyc.backends.c.hooks import fingerprint
from tinyc.backends.runners import MACHINES, MissingTool
from tinyc.compiler.dump.log import LogError, read_log
from tinyc.compiler.session import Compilation
from tinyc.compiler.session.measure import measure_on

_ANY = re.compile(r"tinyc-times ([0-9a-f]{8})\b")
_LAYER = re.compile(r"tinyc-times ([0-9a-f]{8}) (\d{1,5}) (\d{1,10});")
_END = re.compile(r"tinyc-times ([0-9a-f]{8}) end (\d{1,5}) (\d{1,10}) (\d{1,5});")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Timed:
    """The inferences in a log that arrived whole: cycles by layer, and the clock in MHz, 0 where nobody knew it; and
    how many did not."""

    inferences: Sequence[Sequence[int]]
    mhz: int
    broken: int


@dataclass
class _Reading:
    """What was read so far."""

    cycles: dict[int, int] = field(default_factory=dict)
    whole: list[Sequence[int]] = field(default_factory=list)
    mhz: int = 0
    broken: int = 0

    def end(self, layers: int, total: int, mhz: int) -> None:
        """The last line of an inference."""
        there = [self.cycles[k] for k in range(layers) if k in self.cycles]
        if len(there) == layers == len(self.cycles) and sum(there) % 2**32 == total:
            self.whole.append(there)
            self.mhz = mhz
        else:
            self.broken += 1
        self.cycles = {}


def parse_times(text: str, program: str, layers: int, source: str) -> Timed:
    """The cycles in a log.

    Args:
        text: the log.
        program: the fingerprint of the program that is asked for; lines of others are left out.
        layers: how many it has.
        source: what errors call the log.

    Raises:
        LogError: it holds no times, those of other programs only, or of no inference all of them.
    """
    text = _COLOURS.sub("", text)
    printed = Counter(_ANY.findall(text))
    if not printed:
        raise LogError(
            f"{source} holds no times: build the network with -DTINYC_TIMES, run it, and save what the console shows"
        )
    if program not in printed:
        raise LogError(
            f"{source} holds times of program {', '.join(printed)}; this model with these options is program "
            f"{program}. Give the same model file and the same options as for the C on the device"
        )
    reading = _Reading()
    for line in text.split("\n"):
        if (end := _END.search(line)) is not None and end[1] == program:
            reading.end(int(end[2]), int(end[3]), int(end[4]))
        elif (layer := _LAYER.search(line)) is not None and layer[1] == program:
            if int(layer[2]) in reading.cycles:
                # The end of the inference before was lost.
                reading.broken += 1
                reading.cycles = {}
            reading.cycles[int(layer[2])] = int(layer[3])
    reading.broken += bool(reading.cycles)
    whole = [found for found in reading.whole if len(found) == max(layers, 1)]
    if not whole:
        raise LogError(
            f"{source} holds no inference whose times arrived whole ({reading.broken} did not): save more of what the "
            "console shows, from before an inference until after it; a slower line loses less"
        )
    return Timed(whole, reading.mhz, reading.broken)


def compare_times(compiled: Compilation, log: Path) -> dict[str, Any]:
    """The cycles in a log, the median of its inferences, beside the instructions that are estimated and, where the
    target's simulator is there, those that are counted.

    Raises:
        LogError: see `parse_times`; or the log cannot be read.
    """
    program, target = compiled.program, compiled.target
    found = parse_times(read_log(log), fingerprint(program), len(program.stages), str(log))
    cycles = [int(median(times)) for times in zip(*found.inferences, strict=True)][: len(program.stages)]
    counted, note = _counted(compiled)
    notes = [note] if note else []
    if found.broken:
        notes.append(f"{found.broken} inference(s) that did not arrive whole are left out")
    hz = found.mhz * 1_000_000 or target.clock_hz
    if not found.mhz:
        notes.append(f"the log does not say the clock: times are for the target's, {hz / 1e6:.0f} MHz")
    elif found.mhz * 1_000_000 != target.clock_hz:
        notes.append(f"the device ran at {found.mhz} MHz, the target's clock is {target.clock_hz / 1e6:.0f} MHz")
    expected = compiled.times(compiled.estimates if counted is None else counted, replace(target, clock_hz=hz))
    layers = [
        _layer(compiled, number, cycles[number], None if counted is None else counted[number])
        | {"us": _us(cycles[number], hz), "estimated_us": None if time is None else round(time.seconds * 1e6, 1)}
        for number, time in enumerate(expected)
    ]
    known = [time.seconds for time in expected if time is not None]
    return {
        "model": compiled.source.name,
        "target": target.name,
        "log": str(log),
        "inferences": len(found.inferences),
        "clock_hz": hz,
        "cycles": sum(cycles),
        "milliseconds": round(sum(cycles) / hz * 1e3, 3) if hz else None,
        "estimated_milliseconds": round(sum(known) * 1e3, 3) if len(known) == len(expected) else None,
        "notes": notes,
        "layers": layers,
    }


def _us(cycles: int, hz: int) -> float | None:
    return round(cycles / hz * 1e6, 1) if hz else None


def _counted(compiled: Compilation) -> tuple[list[int] | None, str]:
    """The instructions of each layer on the target's simulator; or None and why they are not counted."""
    name = compiled.target.simulator
    if name not in MACHINES:
        return None, f"there is no simulator of {compiled.target.name}: instructions are estimated"
    try:
        return [layer["instructions"] for layer in measure_on(compiled, MACHINES[name])["layers"]], ""
    except MissingTool as error:
        return None, f"instructions are estimated, not counted: {error}"


def _layer(compiled: Compilation, number: int, cycles: int, counted: int | None) -> dict[str, Any]:
    stage, guess = compiled.program.stages[number], compiled.estimates[number]
    of = guess if counted is None else counted
    return {
        "index": number,
        "name": stage.loc or stage.result.name,
        "operator": stage.op.mnemonic,
        "macs": stage.op.macs(),
        "cycles": cycles,
        "counted_instructions": counted,
        "estimated_instructions": guess,
        "cycles_per_instruction": round(cycles / of, 2) if of else None,
    }
