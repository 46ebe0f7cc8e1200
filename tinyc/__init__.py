"""tinyc: a compiler from ONNX models to C for ESP32-class microcontrollers.

    import tinyc

    result = tinyc.compile("model.onnx", target="esp32", output="model_esp32")
    print(result.report["ram"]["arena_bytes"])
    outputs = result(image)["probabilities"]

A model is a path, the content of an ONNX file, or an `onnx.ModelProto`. Options are keywords, documented in `Options`.
`tinyc.load` imports a model without compiling it, `tinyc.passes.Pass` is the base of custom passes, `tinyc.ir` has
the intermediate representation. Every error that bad input can cause is a `tinyc.TinycError`.
"""

from pathlib import Path

# Where version control makes no symbolic links (Windows, unless it is told to), small files stand in their place.
if (Path(__file__).parent / "ir").is_file():
    __path__.append(str(Path(__file__).resolve().parents[1]))

from tinyc import ir, passes
from tinyc.compiler.base.version import VERSION as __version__
from tinyc.compiler.data.calibration import Calibration, Normalise
from tinyc.compiler.evaluate import Evaluation
from tinyc.compiler.options import CustomPass, Options, QuantiseOptions
from tinyc.compiler.session import Compilation, Model, bench, compile, execute, load, quantize, run, tune, verify
from tinyc.ir.errors import TinycError

__all__ = [
    "Calibration",
    "Compilation",
    "CustomPass",
    "Evaluation",
    "Model",
    "Normalise",
    "Options",
    "QuantiseOptions",
    "TinycError",
    "__version__",
    "bench",
    "compile",
    "execute",
    "ir",
    "load",
    "passes",
    "quantize",
    "run",
    "tune",
    "verify",
]
