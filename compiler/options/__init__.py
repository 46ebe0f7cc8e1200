"""How to compile: the options that the library and the command line share."""

from tinyc.compiler.options.options import Layout, Options, RowsFrom, Samples, Shapes
from tinyc.compiler.options.quantised import QuantiseOptions

__all__ = ["Layout", "Options", "QuantiseOptions", "RowsFrom", "Samples", "Shapes"]
