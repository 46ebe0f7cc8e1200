"""tinyc: a compiler from ONNX models to C for ESP32-class microcontrollers.

    import tinyc

    result = tinyc.compile("model.onnx", target="esp32", output="model_esp32")
    print(result.report["ram"]["arena_bytes"])

`tinyc.load` imports a model without compiling it, `tinyc.passes.Pass` is the base of custom passes, `tinyc.ir` has
the intermediate representation. Every error that bad input can cause is a `tinyc.TinycError`.
"""

from pathlib import Path

# Where version control makes no symbolic links (Windows, unless it is told to), small files stand in their place.
if (Path(__file__).parent / "ir").is_file():
    __path__.append(str(Path(__file__).resolve().parents[1]))

from tinyc import ir, passes
from tinyc.compiler.driver import Compilation, compile, execute, load, quantize, verify
from tinyc.compiler.options import Options
from tinyc.compiler.quantised import QuantiseOptions
from tinyc.ir.errors import TinycError

__all__ = [
    "Compilation",
    "Options",
    "QuantiseOptions",
    "TinycError",
    "compile",
    "execute",
    "ir",
    "load",
    "passes",
    "quantize",
    "verify",
]
