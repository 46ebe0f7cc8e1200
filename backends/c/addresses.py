"""Where values are, as C expressions in the run function."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import TranslationUnit
from tinyc.ir.op import Value
from tinyc.ir.rows import Plan, Space, row_count

BLOCKS = ("mem", "ext")
"""The first bytes of the arena, and of that in external memory, as functions of the network call them."""


def blocks_of(plan: Plan | None) -> tuple[str, ...]:
    """Those that a network has."""
    return BLOCKS if plan is not None and plan.external_bytes else BLOCKS[:1]


@dataclass(frozen=True)
class Local:
    """A pointer into the arena, or that in external memory, that the run function declares; `block` is what the
    function calls the first byte of that."""

    name: str
    declaration: str
    offset: int
    block: str


class Addresses:
    """The pointers of one function.

    A caller asks where a value begins (`whole`) or where one of its rows does (`row`); how a value's rows lie is known
    here alone.
    """

    def __init__(self, unit: TranslationUnit, plan: Plan | None, ports: dict[str, str]) -> None:
        self._unit = unit
        self._plan = plan
        self._ports = ports
        self._locals: dict[str, Local] = {}
        self.used_ports: set[str] = set()

    def whole(self, value: Value) -> str:
        """A pointer to the first element of a value."""
        root, offset = self._unit.program.root(value.name)
        if root.ring:
            raise CodegenError(f"{value} is needed whole, but only {root.ring} rows of it are kept")
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

    def row(self, value: Value, row: str) -> str:
        """A pointer to the first element of row number `row`, which is the name of a variable."""
        program = self._unit.program
        buffer = program.buffer[value.name]
        root, _ = program.root(value.name)
        times = program.repeats(value.name)
        row = row if times == 1 else f"{row} / {times}"
        if not root.ring:
            return f"{self.whole(value)} + {row} * {buffer.row_elements}"
        stride, pad, shown, within = 1, 0, buffer, ""
        while buffer.view is not None:
            base = program.buffer[buffer.view.base]
            if buffer.view.follows is not None:
                stride, pad = stride * buffer.view.follows[0], pad * buffer.view.follows[0] + buffer.view.follows[1]
                parts = buffer.row_bytes // shown.row_bytes
                if parts > 1:
                    row, within = f"{row} / {parts}", f" + {row} % {parts} * {shown.row_elements}"
                shown = base
            buffer = base
        kept = program.ring_of(shown.name)
        # Rows before the first are counted from the end of the ring: no sum is negative.
        index = row if stride == 1 else f"{row} * {stride}"
        if pad % kept:
            index = f"({index} + {-pad % kept})"
        elif stride != 1:
            index = f"({index})"
        return f"{self.base(value)} + {index} % {kept} * {shown.row_elements}{within}"

    def base(self, value: Value) -> str:
        """Where the rows of a value are kept: a pointer to the first place of a ring, or to the first row."""
        root, _ = self._unit.program.root(value.name)
        if not root.ring:
            return self.whole(value)
        if root.value.dtype is not value.dtype:
            raise CodegenError(f"{value} cannot be read as {value.type} where it lies")
        return self._arena(root.value, root.name, 0)

    def kept(self, value: Value) -> int:
        """How many rows of a value are kept."""
        return self._unit.program.ring_of(value.name) or row_count(value)

    def follows(self, value: Value) -> bool:
        """Whether the rows of a value lie over other ones, not one after the other."""
        buffer = self._unit.program.buffer[value.name]
        while buffer.view is not None:
            if buffer.view.follows is not None:
                return True
            buffer = self._unit.program.buffer[buffer.view.base]
        return False

    def blocks(self) -> list[str]:
        """What the declarations of the pointers need."""
        used = {local.block for local in self._locals.values()}
        return [block for block in BLOCKS if block in used]

    def callback(self, value: Value) -> str:
        """The function that the rows of a value come from or go to."""
        self.used_ports.add("user")
        return self.outside(value)

    def outside(self, value: Value) -> str:
        """The parameter for an input or output that does not lie in the arena."""
        self.used_ports.add(self._ports[value.name])
        return self._ports[value.name]

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
            block = BLOCKS[slot.external]
            declaration = f"{c_type} *const {name} = ({c_type} *)(void *)({block} + {at});"
            self._locals[value.name] = Local(name, declaration, at, block)
        return self._locals[value.name].name
