"""An independent witness for quantised models: what was made of floats, and what of that in integers, against definitions.

The interpreter, the C and the passes share the constants of a quantised network and the arithmetic on them; comparing
one with another says nothing about either. What is compared here is computed anew from definitions, and by onnxruntime.
"""

from tinyc.compiler.witness.integers import Witnessed, check_integers

__all__ = ["Witnessed", "check_integers"]
