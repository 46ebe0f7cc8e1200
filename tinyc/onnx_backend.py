"""ONNX's backend interface to tinyc: see `tinyc.compiler.onnx_backend`."""

from tinyc.compiler.onnx_backend import C, Interpreter, Prepared, prepare, run_model, run_node, supports_device

__all__ = ["C", "Interpreter", "Prepared", "prepare", "run_model", "run_node", "supports_device"]
