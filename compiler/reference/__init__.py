"""The reference that everything is measured against: onnxruntime, or who stands in for it."""

from tinyc.compiler.reference.exact_products import exact_products
from tinyc.compiler.reference.reference import ONNXRUNTIME, Reference, open_session, session, to_module, to_onnx

__all__ = ["ONNXRUNTIME", "Reference", "exact_products", "open_session", "session", "to_module", "to_onnx"]
