"""C for rows that are put into a matrix by number."""

from __future__ import annotations

from tinyc.backends.c.calls import pointer
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.expressions import Level
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.unit import Pointer, RowCall, TranslationUnit
from tinyc.ir.ops.scatter import Put
from tinyc.ir.rows import Stage


@emits(Put)
def emit_put(unit: TranslationUnit, stage: Stage, op: Put) -> RowCall:
    """A copy of the matrix, unless the result lies over it, and then row by row what is put into it."""
    (n, m), count, joined = op.x.shape, op.updates.shape[0], op.joined()
    value = "p[i]" if joined is None else unit.printer.text(joined, ["to[i]", "p[i]"]).at(Level.CHOICE)
    lines = [
        f"for (int i = 0; out != x && i < {n * m}; ++i) {{",
        "    out[i] = x[i];",
        "}",
        f"for (int k = 0; k < {count}; ++k) {{",
        f"    const int row = indices[k] < 0 ? 0 : indices[k] < {n} ? (int)indices[k] : {n - 1};",
        f"    {C_TYPES[op.type.dtype]} *to = out + row * {m};",
        f"    {pointer(op.type.dtype)}p = updates + k * {m};",
        f"    for (int i = 0; i < {m}; ++i) {{",
        f"        to[i] = {value};",
        "    }",
        "}",
    ]
    of = pointer(op.type.dtype)
    parameters = f"{of}x, const int32_t *indices, {of}updates, {C_TYPES[op.type.dtype]} *out"
    function = unit.function(op.mnemonic, parameters, "".join(f"    {line}\n" for line in lines))
    return RowCall(function, (Pointer(0), Pointer(1), Pointer(2)))
