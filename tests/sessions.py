"""The one place where tests open onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime


def open_onnxruntime(model: onnx.ModelProto | Path, optimise: bool = True) -> Any:
    """A session on one thread; without `optimise`, it runs operator by operator as the model says.

    Products of uint8 and int8 are exact: by default they saturate on x86 processors without VNNI, so that a test would
    pass on one machine and fail on another (`session.x64quantprecision` in onnxruntime's session options).
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    given = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
