"""How to compile: the options that the library and the command line share."""

from tinyc.compiler.options.custom import CustomPass
from tinyc.compiler.options.executors import EXECUTORS, VERIFIED, Executor, MachineName, known_executors
from tinyc.compiler.options.options import (
    InputLayout,
    OptionKeywords,
    Options,
    OutputLayout,
    RowsFrom,
    RowsTo,
    Samples,
    Shapes,
    Unpack,
)
from tinyc.compiler.options.ports import InputType, OutputType, PortTypes
from tinyc.compiler.options.quantise import QuantiseOptions

__all__ = [
    "EXECUTORS",
    "VERIFIED",
    "CustomPass",
    "Executor",
    "InputLayout",
    "InputType",
    "MachineName",
    "OptionKeywords",
    "Options",
    "OutputLayout",
    "OutputType",
    "PortTypes",
    "QuantiseOptions",
    "RowsFrom",
    "RowsTo",
    "Samples",
    "Shapes",
    "Unpack",
    "known_executors",
]
