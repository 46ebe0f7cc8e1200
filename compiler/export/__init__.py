"""Export to ONNX: a module as a file that onnxruntime runs."""

from tinyc.compiler.export.graph import ExportError
from tinyc.compiler.export.model import to_onnx_qdq, with_tensors, write_onnx

__all__ = ["ExportError", "to_onnx_qdq", "with_tensors", "write_onnx"]
