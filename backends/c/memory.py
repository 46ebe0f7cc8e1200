"""Where values are, as C expressions in the run function."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Unit
from tinyc.ir.op import Value
from tinyc.ir.rows import Plan, Space


@dataclass(frozen=True)
class Local:
    """A pointer into the arena that the run function declares."""

    name: str
    declaration: str
    offset: int


class Memory:
    """The pointers of the run function.

    A caller asks where a value begins (`whole`) or where one of its rows does (`row`); that a value's rows lie one
    after the other is known here alone.
    """

    def __init__(self, unit: Unit, plan: Plan | None, ports: dict[str, str]) -> None:
        self._unit = unit
        self._plan = plan
        self._ports = ports
        self._locals: dict[str, Local] = {}
        self.used_ports: set[str] = set()

    def whole(self, value: Value) -> str:
        """A pointer to the first element of a value."""
        root, offset = self._unit.program.root(value.name)
        size = value.dtype.bytes
        if root.value.dtype is not value.dtype or offset % size:
            raise CodegenError(f"{value} cannot be read as {value.type} where it lies")
        if root.space is Space.ARENA:
            return self._arena(value, root.name, offset)
        if root.data is not None:
            base = self._unit.constants.symbol(root.data.array, root.name)
        else:
            base = self._ports[root.name]
            self.used_ports.add(base)
        return f"{base} + {offset // size}" if offset else base

    def row(self, value: Value, row: str, elements: int) -> str:
        """A pointer to the first element of row number `row`, an expression of the precedence of a product."""
        return f"{self.whole(value)} + {row} * {elements}"

    def locals(self) -> list[Local]:
        """The pointers to declare, in the order in which they were first used."""
        return list(self._locals.values())

    def _arena(self, value: Value, root: str, offset: int) -> str:
        if self._plan is None:
            raise CodegenError(f"program {self._unit.program.name}: the arena is not planned")
        if value.name not in self._locals:
            slot = self._plan.by_buffer.get(root)
            if slot is None:
                raise CodegenError(f"{value} has no place in the arena")
            at = slot.offset + offset
            if at % value.dtype.bytes:
                raise CodegenError(f"{value} lies at byte {at} of the arena, not at a multiple of {value.dtype.bytes}")
            name = self._unit.names.fresh(value.name)
            c_type = C_TYPES[value.dtype]
            self._locals[value.name] = Local(name, f"{c_type} *const {name} = ({c_type} *)(void *)(mem + {at});", at)
        return self._locals[value.name].name
