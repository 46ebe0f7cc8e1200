"""Where tests open onnxruntime: as the compiler does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from tinyc.compiler.reference import open_session


def open_onnxruntime(model: onnx.ModelProto | Path, optimise: bool = True) -> Any:
    """A session of `open_session`, whose products are exact, so that a test does not pass on one processor and fail on
    the next."""
    return open_session(onnx.load(model) if isinstance(model, Path) else model, optimise)
