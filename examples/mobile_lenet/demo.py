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
from tinyc.compiler.console import compilation

HERE = Path(__file__).parent
OUTPUT = HERE / "build" / "mobile_lenet_esp32"


def picture(image: NDArray[np.uint8]) -> Text:
    """A grey image as text, two pixels a character."""
    text = Text()
    for upper, lower in zip(image[0::2], image[1::2], strict=True):
        for a, b in zip(upper, lower, strict=True):
            text.append("▀", style=f"rgb({a},{a},{a}) on rgb({b},{b},{b})")
        text.append("\n")
    return text


def panel(image: NDArray[np.uint8], label: int, probabilities: NDArray[np.float32]) -> Panel:
    """A digit with its prediction under it."""
    predicted = int(probabilities.argmax())
    colour = "green" if predicted == label else "red"
    caption = f"[{colour}]predicted {predicted}[/] ({probabilities[predicted]:.1%}), is {label}"
    return Panel.fit(picture(image), title=None, subtitle=caption, border_style=colour)


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
    console.print(f"{right} of {len(labels)} digits recognised by the generated C.")


if __name__ == "__main__":
    main()
