"""Post-training quantisation: a float module becomes one whose operators stand between dequantize and quantize.

    calibrate   ranges of activations on sample inputs (observers.py), or the best of several (pick.py)
    equalise    channels of neighbouring layers scaled to like ranges (equalise.py)
    widen       ranges with room for what few samples leave unseen (unseen.py, statistics.py, widen.py)
    quantise    quantize and dequantize around what is computed in int8 (units.py, scales.py, insert.py)
    round       weights rounded for the least error of a layer's result (moments.py, rounding.py)
    correct     the mean error of every layer taken out of its bias (bias.py)
    narrow      biases rounded to 16 bits times a power of two (narrow.py)
    measure     signal-to-noise ratios, layer by layer (report.py)

The interpreter is given, as a callable: passes do not depend on a backend.
"""

from tinyc.passes.quantise.calibrate import Progress, Range, Ranges, Run, Samples, calibrate
from tinyc.passes.quantise.choose import Goal
from tinyc.passes.quantise.flow import DEFAULT_OBSERVER, DEFAULT_ROUNDING, ROUNDINGS, QuantisedModule, quantise_module
from tinyc.passes.quantise.insert import Quantise
from tinyc.passes.quantise.observers import OBSERVERS, Observer
from tinyc.passes.quantise.pick import MEASURED
from tinyc.passes.quantise.ranges import Parameters, parameters
from tinyc.passes.quantise.report import LayerNoise, to_dicts
from tinyc.passes.quantise.statistics import Statistics, batch_norm_statistics
from tinyc.passes.quantise.widths import Widths

__all__ = [
    "DEFAULT_OBSERVER",
    "DEFAULT_ROUNDING",
    "MEASURED",
    "OBSERVERS",
    "ROUNDINGS",
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
    "Statistics",
    "Widths",
    "batch_norm_statistics",
    "calibrate",
    "parameters",
    "quantise_module",
    "to_dicts",
]
