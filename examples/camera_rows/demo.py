"""From a camera's lines to predictions without an image in RAM: compiles a network that takes its input row by row,
builds the C of this folder around it, runs it on this computer, and compares it with the network that holds its image.

    python -m examples.camera_rows.demo [PICTURE.ppm]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import tinyc
from benchmarks.networks import mobilenet_v1
from tinyc.backends.runners.host import find_compiler
from tinyc.compiler.options import QuantiseOptions, RowsFrom
from tinyc.compiler.session import Compilation

HERE = Path(__file__).parent
BUILD = HERE / "build"
SIZE = 96
NAME = "camera_net"
FORMS: tuple[RowsFrom, ...] = ("arena", "callback", "argument")
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra")


def write_network(folder: Path) -> tuple[Path, Path]:
    """Writes the model, MobileNetV1 0.25 with seeded weights, and calibration data for it. Both are random: the example
    shows how images get in, what comes out means nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    model, calibration = folder / f"{NAME}.onnx", folder / "calibration.npz"
    onnx.save(mobilenet_v1(0.25, SIZE, classes=10), model)
    np.savez(calibration, image=np.random.default_rng(0).random((8, 3, SIZE, SIZE), np.float32))
    return model, calibration


def compile_network(folder: Path, rows_from: RowsFrom, verify: bool = True) -> Compilation:
    """Compiles what `write_network` wrote into a folder of its own."""
    return tinyc.compile(
        folder / f"{NAME}.onnx",
        output=folder / rows_from,
        rows_from=rows_from,
        input_layout="nhwc",
        quantise=QuantiseOptions(folder / "calibration.npz"),
        verify=verify,
    )


def build(folder: Path, compiler: str | None = None, flags: Sequence[str] = FLAGS) -> Path:
    """Builds main.c and the network that asks for rows. Raises `MissingTool` where there is no C compiler."""
    generated = folder / "callback"
    program = folder / "camera_demo"
    sources = [HERE / "main.c", *sorted(generated.glob("*.c"))]
    command = [find_compiler(compiler), *flags, f"-I{generated}", f"-I{HERE}", *map(str, sources), "-lm"]
    subprocess.run([*command, "-o", str(program)], check=True)
    return program


def run(program: Path, *arguments: str) -> dict[str, NDArray[np.float32]]:
    """What the program says: the outputs by how the rows came. Raises `CalledProcessError` if they are not equal."""
    text = subprocess.run([str(program), *arguments], check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in text.splitlines()[:2]]
    return {name: np.array(numbers, np.float32) for name, *numbers in lines}


def synthetic_frame() -> NDArray[np.uint8]:
    """What the synthetic camera of main.c sees: [120, 160, 3] after widening RGB565."""
    x, y = np.arange(160), np.arange(120)[:, None]
    red, green, blue = x * 31 // 159 + 0 * y, y * 63 // 119 + 0 * x, (x * y) & 31
    return np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=-1).astype(np.uint8)


def nearest(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A frame [H, W, C] scaled to [height, width, C]: each pixel that in which the middle of a new one lies."""
    rows = (2 * np.arange(height) + 1) * frame.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * frame.shape[1] // (2 * width)
    return np.ascontiguousarray(frame[rows[:, None], columns])


def quantised(pixels: NDArray[np.uint8], compilation: Compilation) -> NDArray[np.int8]:
    """Pixels / 255 as the integers that the network takes."""
    (port,) = compilation.lowered.inputs
    real = pixels.astype(np.float32) / np.float32(255)
    scaled = np.rint(real / np.float32(port.scale)) + np.float32(port.zero)
    return np.asarray(np.clip(scaled, -128, 127).astype(np.int8))


def ram_table(compilations: Sequence[Compilation]) -> Table:
    """Bytes of RAM by how the image comes, from the reports."""
    table = Table("--rows-from", "arena", "image beside it", "together", box=None, pad_edge=False)
    for form, compilation in zip(FORMS, compilations, strict=True):
        ram = compilation.report["ram"]
        beside = ram["input_bytes"] if form == "argument" else 0
        table.add_row(form, *(f"{n:,}" for n in (ram["arena_bytes"], beside, ram["arena_bytes"] + beside)))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def main(arguments: Sequence[str]) -> int:
    """Runs the demo; 1 when a number differs."""
    console = Console()
    with console.status("compiling and verifying"):
        write_network(BUILD)
        compilations = [compile_network(BUILD, form) for form in FORMS]
    console.print(ram_table(compilations))
    outputs = run(build(BUILD), *arguments)
    for name, numbers in outputs.items():
        console.print(f"{name:8} {' '.join(f'{n:.4f}' for n in numbers)}", highlight=False)
    if arguments:
        return 0
    image = quantised(nearest(synthetic_frame(), SIZE, SIZE), compilations[0])
    (held,) = compilations[0].lowered.real_outputs(tinyc.execute(compilations[0], "host", [[image[None]]])[0])[0]
    console.print(f"{'held':8} {' '.join(f'{n:.4f}' for n in held)}", highlight=False)
    same = all(np.array_equal(held, numbers) for numbers in outputs.values())
    console.print("equal, bit for bit" if same else "[red]not equal[/]", highlight=False)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
