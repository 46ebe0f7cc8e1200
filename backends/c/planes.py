"""C for transpositions in place."""

from __future__ import annotations

from tinyc.backends.c.calls import wrapped
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import RowCall, TranslationUnit
from tinyc.ir.blocks import Blocks
from tinyc.ir.ops.movement import Transpose
from tinyc.ir.rows import Stage
from tinyc.ir.types import WORD, DType


def _in_place(unit: TranslationUnit, stage: Stage, op: Transpose) -> bool:
    return unit.program.overwrites(stage)


@emits(Transpose, where=_in_place)
def emit_in_place(unit: TranslationUnit, stage: Stage, op: Transpose) -> RowCall:
    """Planes that become pixels where they lie, or pixels planes."""
    blocks = op.in_blocks()
    if blocks is None:
        raise CodegenError(f"{stage.where}: {op.x} cannot be permuted in place")
    own = C_TYPES[op.type.dtype]
    return RowCall(unit.function(_kernel(blocks), f"{own} *out", _body(unit, blocks)), ())


def _kernel(blocks: Blocks) -> str:
    return "to_planes" if blocks.back else "to_pixels"


def _body(unit: TranslationUnit, blocks: Blocks) -> str:
    """The statements that permute all images."""
    bytes_alone = blocks.dtype.bytes == 1
    dtype = DType.I8 if bytes_alone else blocks.dtype
    element = C_TYPES[dtype]
    x = f"({element} *)out" if element != C_TYPES[blocks.dtype] else "out"
    room = blocks.planes * blocks.places
    if bytes_alone and blocks.word == WORD:
        local, memory = f"({element} *)local", f"int32_t local[{room // WORD}];"
    else:
        local, memory = "local", f"{element} local[{room}];"
    if blocks.images > 1:
        x = f"{x} + k * {blocks.planes * blocks.blocks * blocks.places}"
    sizes = [("planes", blocks.planes), ("blocks", blocks.blocks), ("places", blocks.places)]
    given = [x, local, *(f"/*{name}=*/{size}" for name, size in sizes)]
    depth = "    " if blocks.images > 1 else ""
    call = wrapped(f"{depth}    {unit.kernels.use(_kernel(blocks), dtype)}(", given, ");")
    if blocks.images > 1:
        call = f"    for (int k = 0; k < {blocks.images}; ++k) {{\n{call}    }}\n"
    return f"    {memory}\n{call}"
