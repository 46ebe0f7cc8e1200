"""Circular and hyperbolic functions and their inverses. The hyperbolic tangent, an activation, is in `elementwise`."""

from __future__ import annotations

import numpy as np

from tinyc.ir.ops.elementwise import Function


class Sin(Function, mnemonic="sin", onnx="Sin", numpy=np.sin, steep=False):
    """Sine of x, in radians."""


class Cos(Function, mnemonic="cos", onnx="Cos", numpy=np.cos, steep=False):
    """Cosine of x, in radians."""


class Tan(Function, mnemonic="tan", onnx="Tan", numpy=np.tan):
    """Tangent of x, in radians."""


class Asin(Function, mnemonic="asin", onnx="Asin", numpy=np.arcsin):
    """The angle in -pi/2..pi/2 whose sine is x."""


class Acos(Function, mnemonic="acos", onnx="Acos", numpy=np.arccos):
    """The angle in 0..pi whose cosine is x."""


class Atan(Function, mnemonic="atan", onnx="Atan", numpy=np.arctan, steep=False):
    """The angle in -pi/2..pi/2 whose tangent is x."""


class Sinh(Function, mnemonic="sinh", onnx="Sinh", numpy=np.sinh):
    """Hyperbolic sine."""


class Cosh(Function, mnemonic="cosh", onnx="Cosh", numpy=np.cosh):
    """Hyperbolic cosine."""


class Asinh(Function, mnemonic="asinh", onnx="Asinh", numpy=np.arcsinh, steep=False):
    """The number whose hyperbolic sine is x."""


class Acosh(Function, mnemonic="acosh", onnx="Acosh", numpy=np.arccosh):
    """The number of 0 or more whose hyperbolic cosine is x."""


class Atanh(Function, mnemonic="atanh", onnx="Atanh", numpy=np.arctanh):
    """The number whose hyperbolic tangent is x."""
