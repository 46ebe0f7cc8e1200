"""Whether a model's operators are known at all: their domains, then the version of ONNX's own."""

from __future__ import annotations

import onnx
from onnx import defs

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.node import normal_domain
from tinyc.compiler.frontend.old_opsets import OLDEST_OPSET, declared_opset
from tinyc.compiler.frontend.support import ADVICE, listing, live_nodes, unsupported_nodes


def check_operators(model: onnx.ModelProto, file: str) -> int:
    """The opset to import a model with: that of ONNX's own operators, the newest for a model without such.

    Raises `FrontendError` for operators that are not supported, and when the opset is missing or too new.
    Operators of other domains are named first: another opset would not help them.
    """
    declared, newest = declared_opset(model), int(defs.onnx_opset_version())
    opset = min(max(declared or newest, OLDEST_OPSET), newest)
    missing = unsupported_nodes(model.graph, opset)
    if not any(u.domain for u in missing):
        check_opset(model)
    if missing:
        raise FrontendError(f"{file} uses operators that tinyc does not support: {listing(missing)}; {ADVICE}")
    return opset


def check_opset(model: onnx.ModelProto) -> None:
    """Raises `FrontendError` for a model with operators of ONNX's own, but no opset of these that tinyc knows."""
    version, newest = declared_opset(model), int(defs.onnx_opset_version())
    if all(normal_domain(node.domain) for _, node in live_nodes(model.graph)):
        return
    if not version:
        raise FrontendError("the model declares no opset of ONNX's own operators")
    if version > newest:
        raise FrontendError(
            f"opset {version} is newer than the installed onnx {onnx.__version__} knows ({newest}): "
            f"upgrade onnx, or export the model with an older opset"
        )
