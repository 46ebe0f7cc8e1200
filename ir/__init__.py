"""The IR: types, operators, modules (the tensor level), row programs (the row level) and the text form."""

from tinyc.ir.errors import IRError, TinycError
from tinyc.ir.module import Builder, Module, Node, verify
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import registry
from tinyc.ir.tensor import Tensor
from tinyc.ir.types import DType, TensorType

__all__ = [
    "Builder",
    "DType",
    "IRError",
    "Module",
    "Node",
    "Op",
    "Tensor",
    "TensorType",
    "TinycError",
    "Value",
    "registry",
    "verify",
]
