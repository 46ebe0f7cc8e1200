"""The ends of the road: a model imported as the options have it, and the C of what it was lowered to."""

from __future__ import annotations

from collections.abc import Sequence

from tinyc.backends.c import CSource, Interface, PortDescription, generate
from tinyc.backends.packages import check_libraries
from tinyc.compiler.base.version import VERSION
from tinyc.compiler.frontend import Imported, ModelLike, Port, load_onnx
from tinyc.compiler.lowering import Lowered
from tinyc.compiler.options import InputLayout, Options
from tinyc.compiler.session.setup import Setup
from tinyc.ir.module import Module
from tinyc.ir.ops import Transpose
from tinyc.passes.integerise import ScaledPort


def import_model(model: ModelLike, options: Options, name: str) -> Imported:
    """The import in the layout that was asked for; in rows, if they are to come one by one. Raises `FrontendError`."""

    def load(layout: InputLayout) -> Imported:
        return load_onnx(model, input_shapes=options.input_shapes, input_layout=layout, name=name)

    imported = load(options.input_layout)
    if options.rows_from == "callback" and options.input_layout == "onnx" and _channels_first(imported.module):
        return load("nhwc")
    return imported


def _channels_first(module: Module) -> bool:
    """Whether images come in as the ONNX operators take them, channel by channel: a model that takes rows and columns
    of pixels begins by transposing them."""
    images = [v for v in module.inputs if v.type.rank == 4]
    to_channels = [found.op.x for found in module.made_by(Transpose) if found.op.perm == (0, 3, 1, 2)]
    return any(v not in to_channels for v in images)


def generate_code(lowered: Lowered, imported: Imported, setup: Setup) -> CSource:
    """The C of a row program. Raises `PackageError` when it calls a library that its package cannot bring."""
    scales = {p.name: p for p in (*lowered.inputs, *lowered.outputs)}

    def described(ports: Sequence[Port]) -> tuple[PortDescription, ...]:
        return tuple(_described(p, scales.get(p.value.name)) for p in ports)

    interface = Interface(described(imported.inputs), described(imported.outputs))
    sections = setup.packing.sections
    source = generate(
        lowered.program,
        name=setup.name,
        interface=interface,
        version=VERSION,
        sections=sections,
        float_registers=setup.target.float_registers,
    )
    check_libraries(setup.packing.format, source)
    return source


def _described(port: Port, scale: ScaledPort | None) -> PortDescription:
    """What the header says of an input or output."""
    layout = "NHWC: rows, columns, channels" if port.perm else "as in the ONNX model"
    return PortDescription(port.name, layout, (scale.scale, scale.zero) if scale else None)
