"""Post-training quantisation: a float module becomes one whose operators stand between dequantize and quantize.

    calibrate   ranges of activations on sample inputs (observers.py)
    equalise    channels of neighbouring layers scaled to like ranges (equalise.py)
    quantise    quantize and dequantize around what is computed in int8 (units.py, scales.py, insert.py)
    correct     the mean error of every layer taken out of its bias (bias.py)
    narrow      biases rounded to 16 bits times a power of two (narrow.py)
    measure     signal-to-noise ratios, layer by layer (report.py)

The interpreter is given, as a callable: passes do not depend on a backend.
"""

from tinyc.passes.quantise.calibrate import Progress, Range, Ranges, Run, Samples, calibrate
from tinyc.passes.quantise.choose import Goal
from tinyc.passes.quantise.flow import DEFAULT_OBSERVER, QuantisedModule, quantise_module
from tinyc.passes.quantise.insert import Quantise
from tinyc.passes.quantise.observers import OBSERVERS, Observer
from tinyc.passes.quantise.ranges import Parameters, parameters
from tinyc.passes.quantise.report import LayerNoise, to_dicts
from tinyc.passes.quantise.widths import Widths

__all__ = [
    "DEFAULT_OBSERVER",
    "OBSERVERS",
    "Goal",
    "LayerNoise",
    "Observer",
    "Parameters",
    "Progress",
    "Quantise",
    "QuantisedModule",
    "Range",
    "Ranges",
    "Run",
    "Samples",
    "Widths",
    "calibrate",
    "parameters",
    "quantise_module",
    "to_dicts",
]
