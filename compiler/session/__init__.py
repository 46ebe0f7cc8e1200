"""What the commands do, as a library: compile, verify, quantise, run, measure."""

from tinyc.compiler.session.api import bench, compile, execute, load, quantize, run, tune, verify
from tinyc.compiler.session.compilation import Compilation
from tinyc.compiler.session.measure import Measured
from tinyc.compiler.session.model import Model
from tinyc.compiler.session.session import Session
from tinyc.compiler.session.tuner import Tuned

__all__ = [
    "Compilation",
    "Measured",
    "Model",
    "Session",
    "Tuned",
    "bench",
    "compile",
    "execute",
    "load",
    "quantize",
    "run",
    "tune",
    "verify",
]
