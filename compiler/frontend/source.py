"""Where a model comes from: a file, the bytes of one, or a model that onnx has in memory; and what errors call it."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import external_data_helper

from tinyc.compiler.base.files import reason, shown
from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.limits import LARGEST_FILE

ModelLike = str | os.PathLike[str] | bytes | onnx.ModelProto
"""A path, the content of an ONNX file, or a model in memory, which is left as it is."""

UNNAMED = "the model"
"""What errors call a model without a path."""


def full_name(source: ModelLike) -> str:
    """What errors call a model: its path, if it has one."""
    return UNNAMED if isinstance(source, (bytes, onnx.ModelProto)) else str(Path(source))


def short_name(source: ModelLike) -> str:
    """The same without folders."""
    return UNNAMED if isinstance(source, (bytes, onnx.ModelProto)) else Path(source).name


def model_stem(source: ModelLike) -> str:
    """What is named after a model: the file's name without its ending."""
    return "model" if isinstance(source, (bytes, onnx.ModelProto)) else Path(source).stem


def parse_model(source: ModelLike) -> onnx.ModelProto:
    """The model as it is there, without external data. Raises `FrontendError`."""
    model = onnx.ModelProto()
    if isinstance(source, onnx.ModelProto):
        model.CopyFrom(source)
        return model
    try:
        model.ParseFromString(_content(source))
    except DecodeError:
        raise FrontendError(f"{full_name(source)} is not an ONNX file, or is truncated") from None
    return model


def load_external_data(model: onnx.ModelProto, source: ModelLike) -> None:
    """Reads the data that lies in files beside the model's own. Raises `FrontendError`."""
    if isinstance(source, (bytes, onnx.ModelProto)):
        inside = [a.t for node in model.graph.node for a in node.attribute]
        if any(map(external_data_helper.uses_external_data, (*model.graph.initializer, *inside))):
            raise FrontendError(
                f"{UNNAMED} has weights in other files, and no path to find them by: give the path of its file, or "
                "onnx.load(path), which reads them"
            )
        return
    try:
        external_data_helper.load_external_data_for_model(model, str(Path(source).parent))
    except Exception as error:  # onnx raises many kinds here
        why = " ".join(str(error).split()) or type(error).__name__
        raise FrontendError(f"{full_name(source)}: its external data cannot be read: {why}") from None


def _content(source: str | os.PathLike[str] | bytes) -> bytes:
    """The bytes of a model's file. Raises `FrontendError` where there are too many, or they cannot be read."""
    content = source if isinstance(source, bytes) else _read(Path(source))
    if content is None or len(content) > LARGEST_FILE:
        raise FrontendError(
            f"{full_name(source)} has more than {LARGEST_FILE >> 20} MB: a model of that size fits into no target"
        )
    return content


def _read(file: Path) -> bytes | None:
    """What a file holds; None for too much."""
    try:
        if file.is_dir():
            raise FrontendError(f"{shown(file)} is a directory, not an ONNX file")
        with file.open("rb") as stream:
            large = os.fstat(stream.fileno()).st_size > LARGEST_FILE
            parts: list[bytes] = []
            while not large and (part := stream.read(1 << 22)):  # a pipe tells no size
                parts.append(part)
                large = sum(map(len, parts)) > LARGEST_FILE
    except (OSError, ValueError) as error:
        raise FrontendError(f"{shown(file)} cannot be read: {reason(error)}") from None
    return None if large else b"".join(parts)
