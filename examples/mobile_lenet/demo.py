"""From a trained model to predictions in C: compiles Mobile-LeNet for the ESP32, runs the same C on this computer on
real handwritten digits, and shows what it saw and what it said.

    python examples/mobile_lenet/demo.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

import tinyc
from tinyc.compiler.cli.console import compilation

HERE = Path(__file__).parent
OUTPUT = HERE / "build" / "mobile_lenet_esp32"


def picture(image: NDArray[np.uint8]) -> Text:
    """A grey image as text, two pixels a character, visible on any terminal."""
    blocks = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    ink = image[4:24, 3:25] > 96
    rows = zip(ink[0::2], ink[1::2], strict=True)
    return Text("\n".join("".join(blocks[bool(a), bool(b)] for a, b in zip(*row, strict=True)) for row in rows))


def panel(image: NDArray[np.uint8], label: int, probabilities: NDArray[np.float32]) -> Panel:
    """A digit with its prediction under it."""
    predicted = int(probabilities.argmax())
    right = predicted == label
    caption = f"{predicted} ({probabilities[predicted]:.0%})" + ("" if right else f", is {label}")
    return Panel.fit(picture(image), title=caption, border_style="green" if right else "red")


def main() -> None:
    """Runs the demo."""
    console = Console()
    with np.load(HERE / "digits.npz") as digits:
        images, labels = digits["image"], digits["label"]

    console.rule("Compile mobile_lenet.onnx for the ESP32")
    with console.status("compiling and verifying"):
        result = tinyc.compile(HERE / "mobile_lenet.onnx", target="esp32", output=OUTPUT)
    compilation(result, OUTPUT.relative_to(Path.cwd()) if OUTPUT.is_relative_to(Path.cwd()) else OUTPUT)

    console.rule("Run the same C here, on real digits")
    inputs = [[(image / np.float32(255)).astype(np.float32).reshape(1, 1, 28, 28)] for image in images]
    outputs = [out[0][0] for out in tinyc.execute(result, "host", inputs)]
    console.print(Columns([panel(i, int(n), p) for i, n, p in zip(images, labels, outputs, strict=True)]))
    right = sum(int(p.argmax()) == int(n) for p, n in zip(outputs, labels, strict=True))
    console.print(f"{right} of {len(labels)} digits recognised by the generated C (above each: what it predicted).")


if __name__ == "__main__":
    main()
