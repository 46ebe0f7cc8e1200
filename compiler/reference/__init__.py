"""The reference that everything is measured against: onnxruntime, or who stands in for it."""

from tinyc.compiler.reference.reference import ONNXRUNTIME, Reference, open_session, session, to_module, to_onnx

__all__ = ["ONNXRUNTIME", "Reference", "open_session", "session", "to_module", "to_onnx"]
