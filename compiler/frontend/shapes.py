"""The shapes of a model's inputs: every dimension a number, declared, given or the batch of 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from tinyc.compiler.frontend.batch import RECURRENT, rebatch
from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.limits import check_elements
from tinyc.compiler.frontend.model import Dims, declared_shape, input_dtype, real_inputs, spell_shape


def set_input_shapes(model: onnx.ModelProto, given: Mapping[str, Sequence[int]], opset: int) -> tuple[str, ...]:
    """Makes every dimension of a model's inputs a number, in place.

    A shape in `given` binds the names of the dimensions it fills, and may have another batch than the model declares:
    the other inputs with that batch, and the constants that know it, follow. What is still unknown in first place is
    the batch and becomes 1.

    Returns:
        What there is to say: which batch was changed.

    Raises:
        FrontendError: dimensions stay unknown, or given shapes do not fit; a node does not follow another batch;
            inputs have no name, or the same.
    """
    inputs = real_inputs(model)
    _check_names(inputs)
    axes = {i.name: batch_axis(model, i) for i in inputs}
    _check_given(inputs, given, axes)
    shapes = _resolved(inputs, given)
    change = _change(inputs, given, axes)
    carriers: dict[str, int] = {}
    if change is not None:
        old, new = change
        for info in inputs:
            declared, axis = declared_shape(info) or (), axes[info.name]
            if info.name in given and len(declared) > axis and declared[axis] != given[info.name][axis]:
                carriers[info.name] = axis
            elif info.name not in given and len(declared) > axis and declared[axis] == old:
                carriers[info.name] = axis
                shape = list(shapes[info.name])
                shape[axis] = new
                shapes[info.name] = tuple(shape)
    for info in inputs:
        target = info.type.tensor_type.shape
        del target.dim[:]
        for number in shapes[info.name]:
            target.dim.add().dim_value = number
    if change is None:
        return ()
    old, new = change
    rebatch(model, carriers, old, new, opset)
    return (f"batch {new} instead of the model's {old}, for {', '.join(carriers)}",)


def batch_advice(model: onnx.ModelProto) -> str:
    """What to do about a model that works on several samples at once; every dimension of its inputs is a number."""
    options = []
    for info in real_inputs(model):
        shape, axis = [d.dim_value for d in info.type.tensor_type.shape.dim], batch_axis(model, info)
        if len(shape) > axis and shape[axis] > 1:
            shape[axis] = 1
            options.append(input_shape_option(info.name, shape))
    if not options:
        return "the model makes it of one input"
    return f"compile for one sample by {' and '.join(options)}"


def input_shape_option(name: str, shape: Sequence[int | str]) -> str:
    """The option that gives an input a shape, as messages have it."""
    numbers = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
    return f'`input_shapes={{"{name}": ({numbers})}}`'


def batch_axis(model: onnx.ModelProto, info: onnx.ValueInfoProto) -> int:
    """The dimension of an input that counts samples: the first, but the second of what recurrent nodes take."""
    for node in model.graph.node:
        if node.op_type in RECURRENT and info.name in (*node.input[:1], *node.input[5:7]):
            return 0 if any(a.name == "layout" and a.i for a in node.attribute) else 1
    return 0


def _change(
    inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, Sequence[int]], axes: Mapping[str, int]
) -> tuple[int, int] | None:
    """The batch that the model declares and the one it is given instead; None when they are the same."""
    changes = {}
    for info in inputs:
        declared, axis = declared_shape(info) or (), axes[info.name]
        if info.name in given and len(declared) > axis:
            was, now = declared[axis], given[info.name][axis]
            if isinstance(was, int) and was != now:
                changes[info.name] = (was, now)
    if not changes:
        return None
    old, new = min(changes.values())
    for name, (was, now) in changes.items():
        if was % old or was // old * new != now:
            raise FrontendError(
                f'input "{name}": a batch of {now} instead of {was} does not go with {new} instead of {old}'
            )
    return old, new


def _check_names(inputs: Sequence[onnx.ValueInfoProto]) -> None:
    names = [i.name for i in inputs]
    if "" in names:
        raise FrontendError(f"input {names.index('')} of the graph has no name")
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise FrontendError(f'two inputs of the graph are called "{twice}"')


def _check_given(
    inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, Sequence[int]], axes: Mapping[str, int]
) -> None:
    names = [i.name for i in inputs]
    for name, shape in given.items():
        if name not in names:
            raise FrontendError(f'there is no input "{name}" to give a shape (inputs: {", ".join(names) or "none"})')
        if any(d < 1 for d in shape):
            raise FrontendError(f'the shape {spell_shape(shape)} for input "{name}" has a dimension below 1')
        check_elements(shape, f'input "{name}"')
        declared = declared_shape(inputs[names.index(name)])
        if declared is None:
            continue
        # A batch of 1 stays: that it is one cannot be told from the other dimensions of 1.
        fixed = {k: d for k, d in enumerate(declared) if isinstance(d, int) and (k != axes[name] or d == 1)}
        if len(declared) != len(shape) or any(shape[k] != d for k, d in fixed.items()):
            raise FrontendError(
                f'the shape {spell_shape(shape)} does not fit input "{name}", which the model declares as '
                f"{spell_shape(declared)}: only its batch (dimension {axes[name]}) may differ"
            )


def _resolved(inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """The shape of each input, with names of dimensions bound. Raises `FrontendError` for dimensions left open."""
    symbols: dict[str, int] = {}
    for info in inputs:
        for dim, size in zip(declared_shape(info) or (), given.get(info.name, ()), strict=False):
            if isinstance(dim, str) and dim != "?" and symbols.setdefault(dim, size) != size:
                raise FrontendError(f'dimension "{dim}" is given as {symbols[dim]} and as {size} (input "{info.name}")')
    for info in inputs:
        first = (declared_shape(info) or (1,))[0:1]
        if first and isinstance(first[0], str) and first[0] != "?" and info.name not in given:
            symbols.setdefault(first[0], 1)
    found: dict[str, tuple[int, ...]] = {}
    unknown: list[str] = []
    for info in inputs:
        shape = _bound(info, given, symbols)
        numbers = tuple(d for d in shape if isinstance(d, int))
        if len(numbers) != len(shape):
            unknown.append(_ask_for(info, shape))
        else:
            check_elements(numbers, f'input "{info.name}"')
            found[info.name] = numbers
    if unknown:
        raise FrontendError("; ".join(unknown))
    return found


def _bound(info: onnx.ValueInfoProto, given: Mapping[str, Sequence[int]], symbols: Mapping[str, int]) -> Dims:
    input_dtype(info)
    if info.name in given:
        return tuple(int(d) for d in given[info.name])
    declared = declared_shape(info)
    if declared is None:
        raise FrontendError(
            f'input "{info.name}" declares no shape: give it by {input_shape_option(info.name, (1, "..."))}'
        )
    batch = tuple(1 if k == 0 and d == "?" else d for k, d in enumerate(declared))
    return tuple(symbols.get(d, d) if isinstance(d, str) else d for d in batch)


def _ask_for(info: onnx.ValueInfoProto, shape: Dims) -> str:
    missing = ", ".join(f"{k} ({d})" for k, d in enumerate(shape) if isinstance(d, str))
    example = [f"<{d}>" if isinstance(d, str) else d for d in shape]
    return (
        f'input "{info.name}" has the shape {spell_shape(shape)}; give a size to dimension {missing} '
        f"by {input_shape_option(info.name, example)}"
    )
