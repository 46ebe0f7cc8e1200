"""How long `tinyc compile` takes, and the memory it needs, on MobileNetV1 1.0 224 with 1000 classes.

    python -m benchmarks.compile_time

Runs the command in processes of its own: without verification, then with every pass, the interpreter and the C
verified. Wall-clock seconds depend on the machine and its load; peak memory is that of the largest process.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import onnx
from rich.console import Console
from rich.table import Table

from benchmarks.networks import mobilenet_v1


def measured(model: Path, *options: str) -> tuple[float, float]:
    """Wall-clock seconds, and the peak resident memory in MiB of the largest process so far."""
    command = [sys.executable, "-m", "tinyc", "compile", str(model), "-o", str(model.parent / "out")]
    start = time.perf_counter()
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    """Prints the table."""
    table = Table("tinyc compile mobilenet_v1_1.0_224", "seconds", "peak MiB")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "mobilenet_v1.onnx"
        onnx.save(mobilenet_v1(1.0, 224), model)
        for label, options in (("without verification", ["--no-verify"]), ("verified", [])):
            seconds, memory = measured(model, *options)
            table.add_row(label, f"{seconds:.1f}", f"{memory:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
