"""Networks that keep their state between calls: what a call does, and what it brings and gives."""

from __future__ import annotations

import dataclasses

from tinyc.backends.c.addresses import Addresses
from tinyc.backends.c.schedule import sweep_lines
from tinyc.backends.c.source import CPort
from tinyc.backends.c.unit import TranslationUnit
from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.endless import late_rows, rows_a_call
from tinyc.ir.types import TensorType


def reset_lines(unit: TranslationUnit, addresses: Addresses) -> list[str]:
    """The statements that begin anew. What is in the rings then is not read: rows before the first are padding."""
    assert unit.program.endless is not None
    return [f"{addresses.whole(unit.program.endless.counter)}[0] = 0;"]


def step_lines(unit: TranslationUnit, addresses: Addresses) -> list[str]:
    """The statements of a call: its sweeps."""
    endless = unit.program.endless
    assert endless is not None
    count = f"{addresses.whole(endless.counter)}[0]"
    last = endless.warm + endless.cycle - endless.hop
    return [
        f"const int begin = {count};",
        "TINYC_BEGIN(1);",
        f"for (int t = begin; t < begin + {endless.hop}; ++t) {{",
        *(f"    {line}" for line in sweep_lines(unit, addresses, unit.program.order[0])),
        "}",
        f"/* {endless.cycle} sweeps after number {endless.warm}, everything lies again where it lay. */",
        f"{count} = begin == {last} ? {endless.warm} : begin + {endless.hop};",
        "TINYC_END();",
    ]


def called_often(port: CPort, program: RowProgram, value: Value) -> CPort:
    """An input or output of a program that keeps its state, as each call has it."""
    batch, whole, *rest = value.shape
    rows, late = rows_a_call(program)[value.name], late_rows(program).get(value.name, 0)
    type = TensorType((batch, rows, *rest), value.dtype)
    return dataclasses.replace(port, type=type, calls=(whole + late) // rows, late=late)
