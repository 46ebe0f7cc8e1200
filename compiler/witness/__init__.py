"""An independent witness for quantised models.

    quantisation.py   what was made of floats: weights, biases, bias correction, equalisation, noise
    recurrent_steps.py recurrent layers whose states were made integers, step by step
    integers.py       what was made of that in integers: constants, arithmetic, every layer on the same integers
    boundary.py       integers at the network's own inputs and outputs

    definition.py     what operators mean in float64, and arithmetic.py what they are in exact integers
    region.py         a value in both modules: the parts that compute it

Interpreter, C and passes share the constants of a quantised network and the arithmetic on them, so comparing one with
another says nothing about either. What is compared here is computed anew from definitions, and by onnxruntime.
"""

from tinyc.compiler.witness.boundary import check_boundary
from tinyc.compiler.witness.comparison import Witnessed
from tinyc.compiler.witness.integers import check_integers
from tinyc.compiler.witness.quantisation import AccuracyError, Quantisation, check_quantisation
from tinyc.compiler.witness.recurrent_steps import check_recurrent

__all__ = [
    "AccuracyError",
    "Quantisation",
    "Witnessed",
    "check_boundary",
    "check_integers",
    "check_quantisation",
    "check_recurrent",
]
