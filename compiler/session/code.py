"""The ends of the road: a model imported as the options have it, and the C of what it was lowered to."""

from __future__ import annotations

from collections.abc import Sequence

from tinyc.backends.c import CSource, Interface, PixelScale, PortDescription, generate
from tinyc.backends.packages import check_libraries
from tinyc.compiler.base.version import VERSION
from tinyc.compiler.frontend import Imported, ModelLike, Port, load_onnx
from tinyc.compiler.lowering import Lowered, input_place, output_place
from tinyc.compiler.options import InputLayout, Options, OutputLayout
from tinyc.compiler.session.setup import Setup
from tinyc.ir.module import Module, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Reshape, Transpose
from tinyc.ir.types import DType
from tinyc.passes.integerise import ScaledPort
from tinyc.passes.integerise.channels import channel_axis


def import_model(model: ModelLike, options: Options, name: str) -> Imported:
    """The import in the layouts that were asked for; images in rows, if these are to come or go one by one. Raises
    `FrontendError`."""

    def load(taken: InputLayout, given: OutputLayout) -> Imported:
        shapes = options.input_shapes
        return load_onnx(model, input_shapes=shapes, input_layout=taken, output_layout=given, name=name)

    taken, given = options.input_layout, options.output_layout
    imported = load(taken, given)
    if input_place(options) == "rows" and taken == "onnx":
        taken = _rows_layout(imported.module)
    if output_place(options) == "rows" and given == "onnx":
        given = _given_layout(imported.module)
    return imported if (taken, given) == (options.input_layout, options.output_layout) else load(taken, given)


def _given_layout(module: Module) -> OutputLayout:
    """The layout in which outputs that go out as the ONNX operators give them, channel by channel, have rows: a model
    that gives rows and columns of pixels, or samples, ends by transposing them."""
    to_pixels = [found.result for found in module.made_by(Transpose) if found.op.perm == (0, 2, 3, 1)]
    if any(v not in to_pixels for v in module.outputs if v.type.rank == 4):
        return "nhwc"
    signals = [v for v in module.outputs if v.type.rank == 3]
    return "nlc" if any(_channels_of_samples(module, v) for v in signals) else "onnx"


def _channels_of_samples(module: Module, signal: Value, turned: bool = False) -> bool:
    """Whether an output was transposed, and not back, from samples that lie as rows, or steps that come first, but for
    what keeps its shape since."""
    node = module.producer.get(signal)
    if node is None:
        return False
    if (transpose := made(node, Transpose)) is not None:
        back = transpose.op.perm == (0, 2, 1) and _channels_of_samples(module, transpose.op.x, not turned)
        return back or (transpose.op.perm == (1, 2, 0) and not turned)
    if made(node, Reshape) is not None and turned:
        return True
    kept = [v for v in node.op.operands if v.shape == signal.shape] or node.op.passes_on()
    return any(_channels_of_samples(module, v, turned) for v in kept)


def _rows_layout(module: Module) -> InputLayout:
    """The layout in which inputs that come in as the ONNX operators take them, channel by channel, have rows: a model
    that takes rows and columns of pixels, or samples, begins by transposing them."""
    images = [v for v in module.inputs if v.type.rank == 4]
    to_channels = [found.op.x for found in module.made_by(Transpose) if found.op.perm == (0, 3, 1, 2)]
    if any(v not in to_channels for v in images):
        return "nhwc"
    signals = [v for v in module.inputs if v.type.rank == 3]
    return "nlc" if any(_samples_last(module, v) for v in signals) else "onnx"


def _samples_last(module: Module, signal: Value, turned: bool = False) -> bool:
    """Whether an input is transposed, and not back, before windows slide over its samples as over rows, or such that
    they are steps that come first."""
    for user in module.users[signal]:
        if (reshape := made(user, Reshape)) is not None:
            found = turned and reshape.op.shape == (1, signal.shape[1], 1, signal.shape[2])
        elif (transpose := made(user, Transpose)) is not None:
            first = transpose.op.perm == (2, 0, 1) and not turned
            found = first or (transpose.op.perm == (0, 2, 1) and _samples_last(module, user.result, not turned))
        else:
            kept = user.result.shape == signal.shape or signal in user.op.passes_on()
            found = kept and user.result.type.rank == 3 and _samples_last(module, user.result, turned)
        if found:
            return True
    return False


def generate_code(lowered: Lowered, imported: Imported, setup: Setup) -> CSource:
    """The C of a row program. Raises `PackageError` when it calls a library that its package cannot bring."""
    pixels = setup.packing.pixels
    taken = {p.name: p for p in lowered.inputs}
    interface = Interface(
        tuple(_described(p, taken.get(p.value.name), pixels) for p in imported.inputs),
        tuple(_described(p, scale, pixels) for p, scale in zip(imported.outputs, lowered.outputs, strict=True)),
    )
    source = generate(
        lowered.program,
        name=setup.name,
        interface=interface,
        version=VERSION,
        sections=setup.packing.sections,
        tuning=setup.tuning,
    )
    check_libraries(setup.packing.format, source)
    return source


def _described(port: Port, scale: ScaledPort | None, pixels: PixelScale) -> PortDescription:
    """What the header says of an input or output; `pixels` are what those of an image stand for."""
    layouts = {None: "as in the ONNX model", 3: "NLC: samples, channels", 4: "NHWC: rows, columns, channels"}
    layout = layouts[len(port.perm) if port.perm else None]
    if scale is None:
        return PortDescription(port.name, layout)
    count = len(pixels.pairs)
    fits = count == 1 or channel_axis(port.value.shape, count) is not None
    of_pixels = scale.dtype is DType.U8 or (is_image(port.value.shape) and fits)
    one = None if scale.channels else (scale.scale, scale.zero)
    return PortDescription(port.name, layout, one, pixels if of_pixels else None)


def is_image(shape: Sequence[int]) -> bool:
    """Whether this is the shape of a grey or colour image, in either layout."""
    return len(shape) == 4 and (shape[1] in (1, 3) or shape[3] in (1, 3))
