"""What the commands do, as a library: compile, verify, quantise, run, measure."""

from tinyc.compiler.session.api import bench, compile, execute, load, quantize, run, verify
from tinyc.compiler.session.compilation import Compilation
from tinyc.compiler.session.measure import Measured
from tinyc.compiler.session.model import Model
from tinyc.compiler.session.session import Session

__all__ = [
    "Compilation",
    "Measured",
    "Model",
    "Session",
    "bench",
    "compile",
    "execute",
    "load",
    "quantize",
    "run",
    "verify",
]
