"""How long `tinyc compile` takes, and the memory it needs: on a large network, on deep ones, and on an LSTM.

    python -m benchmarks.compile_time
    python -m benchmarks.compile_time --profile     the five functions that take the most time in each
    python -m benchmarks.compile_time --growth      deep networks of 125 to 1000 layers, without verification
    python -m benchmarks.compile_time --topologies  networks of every topology, int8

MobileNetV1 1.0 224 with 1000 classes, in float and quantised to int8 on random images; chains of 500 layers; an LSTM of
64 steps. Each is compiled by the command in a process of its own, without verification, and with every pass, the
interpreter and the C verified. A network of random weights is less accurate in int8 than the compiler allows, so int8
is measured without verification. Processor seconds are those of the command and the compilers that it calls; they and
seconds by the clock depend on the machine and its load. Memory is the largest sum of the resident memory of all
processes at one time, as far as it is their own or their part of what they share (on Linux).
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

import tinyc
from benchmarks.deep import chain, lstm, residual, separable
from benchmarks.networks import mobilenet_v1
from benchmarks.topologies import CASES as TOPOLOGIES

GROWTH = (125, 250, 500, 1000)
IMAGES = 4
"""Random images that int8 learns its ranges from."""
INT8 = ("--quantize", "int8", "--calibration")

NETWORKS: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "mobilenet_v1_1.0_224": lambda: mobilenet_v1(1.0, 224),
    "chain_500": lambda: chain(500),
    "separable_500": lambda: separable(500),
    "residual_500": lambda: residual(500),
    "lstm_64": lambda: lstm(64),
}


@dataclass(frozen=True)
class Measured:
    """Seconds by the clock and of the processor, and MiB."""

    clock: float
    processor: float
    memory: float


def measured(model: Path, *options: str) -> Measured:
    """What one run of the command takes. Raises `CalledProcessError` where it fails."""
    command = [sys.executable, "-m", "tinyc", "compile", str(model), "-o", str(model.parent / "out"), *options]
    before, start, most = _processor(), time.perf_counter(), 0.0
    process = subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(0.02)
    clock = time.perf_counter() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(clock, _processor() - before, most)


def _environment() -> dict[str, str]:
    """That of this process; Python keeps what it has compiled of the compiler itself, as it does for users."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(process: int) -> float:
    """MiB of a process and those that it started; of those that have ended, none."""
    total = 0.0
    try:
        own = Path(f"/proc/{process}")
        lines = (own / "smaps_rollup").read_text(encoding="ascii").splitlines()
        total += sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
        for task in (own / "task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                # One that has not become another program yet still has the memory of the one that started it.
                if Path(f"/proc/{child}/cmdline").read_bytes() != (own / "cmdline").read_bytes():
                    total += _memory(int(child))
    except OSError:
        pass
    return total


def top_five(model: Path, **options: bool) -> list[tuple[str, float]]:
    """The functions that take the most processor time, without those that they call, and the part of all that they
    take. Compilers, which are processes of their own, do not count."""
    profile = cProfile.Profile(time.process_time)
    with profile:
        tinyc.compile(model, output=model.parent / "profiled", **options)  # type: ignore[arg-type]
    stats = pstats.Stats(profile).get_stats_profile()
    own = sorted(stats.func_profiles.items(), key=lambda item: -item[1].tottime)[:5]
    return [(f"{name} ({Path(f.file_name).name}:{f.line_number})", f.tottime / stats.total_tt) for name, f in own]


def _calibration(folder: Path, shape: Sequence[int]) -> Path:
    images = np.random.default_rng(0).uniform(-1, 1, (IMAGES, *shape)).astype(np.float32)
    np.savez(folder / "images.npz", image=images)
    return folder / "images.npz"


def _runs(folder: Path, name: str) -> list[tuple[str, Sequence[str]]]:
    """What a network is compiled with."""
    runs: list[tuple[str, Sequence[str]]] = [("float, not verified", ["--no-verify"]), ("float, verified", [])]
    if name.startswith("mobilenet"):
        int8 = ["--no-verify", *INT8, str(_calibration(folder, (3, 224, 224)))]
        runs.insert(1, ("int8, not verified", int8))
    return runs


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser("python -m benchmarks.compile_time", description="Times the compiler.")
    parser.add_argument("--profile", action="store_true", help="the five functions that take the most time in each")
    parser.add_argument("--growth", action="store_true", help="deep networks, 125 to 1000 layers by default")
    parser.add_argument("--layers", type=int, nargs="+", default=GROWTH, metavar="N", help="how deep those are")
    parser.add_argument("--topologies", action="store_true", help="networks of every topology, int8")
    chosen = parser.parse_args(arguments)
    console = Console()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        subprocess.run(
            [sys.executable, "-m", "tinyc", "--version"], check=True, env=_environment(), capture_output=True
        )
        if chosen.growth:
            _growth(console, folder, chosen.layers)
        elif chosen.topologies:
            _topologies(console, folder)
        elif chosen.profile:
            _profiles(console, folder)
        else:
            _times(console, folder)


def _saved(folder: Path, name: str, model: onnx.ModelProto) -> Path:
    onnx.save(model, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


def _times(console: Console, folder: Path) -> None:
    table = Table("tinyc compile", "", "seconds", "processor seconds", "MiB")
    for name, make in NETWORKS.items():
        model = _saved(folder, name, make())
        for label, options in _runs(folder, name):
            found = measured(model, *options)
            table.add_row(name, label, f"{found.clock:.1f}", f"{found.processor:.1f}", f"{found.memory:.0f}")
    console.print(table)


def _topologies(console: Console, folder: Path) -> None:
    """The time of each network of `benchmarks.topologies`: the least RAM is searched for in all of them."""
    table = Table("int8, not verified", "nodes", "processor seconds", "MiB")
    for name, make in TOPOLOGIES.items():
        print(f"compiling {name}", file=sys.stderr)
        network = make()
        model = _saved(folder, name, network)
        shape = [d.dim_value for d in network.graph.input[0].type.tensor_type.shape.dim[1:]]
        found = measured(model, "--no-verify", *INT8, str(_calibration(folder, shape)))
        table.add_row(name, str(len(network.graph.node)), f"{found.processor:.1f}", f"{found.memory:.0f}")
    console.print(table)


def _growth(console: Console, folder: Path, layers: Sequence[int]) -> None:
    table = Table("processor seconds, not verified", *map(str, layers))
    for name, make in (("chain", chain), ("separable", separable), ("residual", residual)):
        models = [_saved(folder, f"{name}_{count}", make(count)) for count in layers]
        table.add_row(name, *(f"{measured(model, '--no-verify').processor:.1f}" for model in models))
    console.print(table)


def _profiles(console: Console, folder: Path) -> None:
    table = Table("tinyc compile", "", "function", "of all")
    for name in ("mobilenet_v1_1.0_224", "chain_500", "lstm_64"):
        model = _saved(folder, name, NETWORKS[name]())
        for label, verify in (("not verified", False), ("verified", True)):
            for function, part in top_five(model, verify=verify):
                table.add_row(name, label, function, f"{part:.0%}")
    console.print(table)


if __name__ == "__main__":
    main()
