"""The functions that a program is called by, and how each input comes in and each output goes out.

An input is an argument, or lies in the arena, where an accessor says, or comes row by row: asked for through a function
that the caller passes, or, where no other one does, pushed by a caller who owns the loop. An output is an argument, or
goes row by row to a function that the caller passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.backends.c.addresses import BLOCKS, Addresses, blocks_of
from tinyc.backends.c.cores import Parts, splits
from tinyc.backends.c.hooks import input_hooks
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.schedule import due, row_due, row_elements, segment_lines, sweep_lines
from tinyc.backends.c.source import ARENAS, CodegenError, CPort, Place
from tinyc.backends.c.steps import reset_lines, step_lines
from tinyc.backends.c.unit import TranslationUnit
from tinyc.ir.rows import RowProgram, Segment, Space, Stage

RESERVED = (
    *(*ARENAS, *BLOCKS, "rows", "count", "y", "t", "k", "i", "to", "row", "aside", "words"),
    *("next_row", "on_row", "user", "run", "finish", "begin", "step", "reset"),
)
"""Names that the functions use."""
_ARENA = ("the arena", "the arena in PSRAM")


@dataclass(frozen=True)
class PublicFunction:
    """A public function: its prototype without a semicolon, and what it does."""

    prototype: str
    purpose: str


def public_functions(
    name: str,
    inputs: Sequence[CPort],
    outputs: Sequence[CPort],
    sweeping: Sequence[str] = (),
    arenas: Sequence[str] = ARENAS[:1],
) -> list[PublicFunction]:
    """The public functions of a program. `sweeping` are the parameters that are needed as soon as rows come in,
    `arenas` those for memory that all take."""
    memory = [f"void *{arena}" for arena in arenas]
    found = [
        PublicFunction(
            f"{p.c_type} *{name}_{p.name}(void *{p.arena})",
            f"Where to put {p.name} before a run, in {_ARENA[p.external]}. The run overwrites it.",
        )
        for p in inputs
        if p.place == "arena"
    ]
    asks, gives = (any(p.place == "rows" for p in ports) for ports in (inputs, outputs))
    does = ["asks for each row as it is needed"] * asks + ["hands over each row as it is computed"] * gives
    run = ", ".join([*memory, *_parameters(inputs, outputs).values()])
    purpose = f"One inference: {', and '.join(does)}." if does else "One inference."
    if any(p.calls for p in outputs):
        return [
            PublicFunction(f"void {name}_reset({', '.join(memory)})", "Begins anew: before the first call."),
            PublicFunction(f"void {name}_step({run})", "Goes on with the next rows of the inputs."),
        ]
    found.append(PublicFunction(f"void {name}_run({run})", purpose))
    rows = pushed_port(inputs)
    if rows is None:
        return found
    ports = _parameters(_besides(rows, inputs), outputs)
    pushed = [*memory, "int y", f"const {rows.c_type} *row", *(ports[p] for p in sweeping)]
    return [
        *found,
        PublicFunction(
            f"void {name}_push_row({', '.join(pushed)})",
            f"The same for a caller who owns the loop: takes row y, from 0 to {rows.type.shape[1] - 1} in order, ...",
        ),
        PublicFunction(f"void {name}_finish({', '.join([*memory, *ports.values()])})", "... and ends the inference."),
    ]


def cores_start(name: str) -> PublicFunction:
    """The function that starts the other core. It is defined with the port."""
    return PublicFunction(
        f"int {name}_cores_start(void)",
        "Starts the other core, which then shares the work of every run: once, before the first. 0: there is none.",
    )


def row_type(port: CPort, gives: bool) -> str:
    """The type of the function that is asked for rows, or is given them."""
    return f"typedef void (*{port.callback_type})(void *user, int y, {'const ' if gives else ''}{port.c_type} *row);"


def pushed_port(inputs: Sequence[CPort]) -> CPort | None:
    """The one input that comes by rows, which may be pushed; None where several come so, or none does."""
    rows = [p for p in inputs if p.place == "rows"]
    return rows[0] if len(rows) == 1 else None


def _besides(rows: CPort, inputs: Sequence[CPort]) -> list[CPort]:
    return [p for p in inputs if p is not rows]


def _parameters(inputs: Sequence[CPort], outputs: Sequence[CPort]) -> dict[str, str]:
    """The declarations of the parameters by name, functions of the caller's first."""
    called = [p for p in (*inputs, *outputs) if p.place == "rows"]
    found = {p.callback: f"{p.callback_type} {p.callback}" for p in called}
    found |= {"user": "void *user"} if called else {}
    found |= {p.name: f"const {p.c_type} *{p.name}" for p in inputs if p.place == "argument"}
    return found | {p.name: f"{p.c_type} *{p.name}" for p in outputs if p.place == "argument"}


class Writer:
    """Writes the functions of a program."""

    def __init__(
        self, unit: TranslationUnit, ports: dict[str, str], inputs: Sequence[CPort], outputs: Sequence[CPort]
    ) -> None:
        self._unit, self._program = unit, unit.program
        self._ports, self._inputs, self._outputs = ports, inputs, outputs
        pushed = pushed_port(inputs)
        self._declared = _parameters(inputs if pushed is None else _besides(pushed, inputs), outputs)
        self._blocks = blocks_of(unit.program.plan)
        self._arenas = ARENAS[: len(self._blocks)]
        self._parts = Parts(unit, self._addresses, self._declared, ports)

    def write(self) -> tuple[str, list[PublicFunction]]:
        """The definitions, and the public functions among them."""
        name, program = self._unit.prefix, self._program
        sweeping: list[str] = []
        helpers: list[str]
        source = program.pushed
        if program.endless is not None:
            helpers, bodies = [], []
            for lines_of in (reset_lines, step_lines):
                addresses = self._addresses()
                lines = lines_of(self._unit, addresses)
                bodies.append(self._body(addresses, lines, self._arenas, []))
        elif source is None:
            addresses = self._addresses()
            lines = self._segments(addresses, program.order, self._arenas)
            lines = ["TINYC_BEGIN(1);", *self._inputs_shown(), *lines, "TINYC_END();"]
            helpers, bodies = [], [self._body(addresses, lines, self._arenas, list(self._declared))]
        else:
            helpers, bodies, sweeping = self._row_bodies(source)
        public = public_functions(name, self._inputs, self._outputs, sweeping, self._arenas)
        accessors = [self._accessor(p) for p in self._inputs if p.place == "arena"]
        defined = [f"{e.prototype}\n{{\n{b}}}\n" for e, b in zip(public, [*accessors, *bodies], strict=True)]
        if splits(program):
            public.append(cores_start(name))
        return "\n".join([*self._parts.definitions(), *helpers, *defined]), public

    def _segments(self, addresses: Addresses, segments: Sequence[Segment], arenas: Sequence[str]) -> list[str]:
        """The statements of segments, in a function that calls the arenas so."""
        lines: list[str] = []
        for segment in segments:
            split = self._program.stages[segment.first].split > 1
            lines += self._parts.lines(segment.first) if split else segment_lines(self._unit, addresses, segment)
        addresses.used_ports |= self._parts.used_ports
        return [*self._parts.declaration(arenas), *lines]

    def _addresses(self) -> Addresses:
        return Addresses(self._unit, self._program.plan, self._ports)

    def _accessor(self, port: CPort) -> str:
        """The body of the function that says where an input lies."""
        buffer = next(v for v in self._program.inputs if self._ports[v.name] == port.name)
        plan = self._program.plan
        if plan is None:
            raise CodegenError(f"program {self._program.name}: the arena is not planned")
        # An input that nothing reads has no place of its own; one byte after another will do.
        at = plan.by_buffer[buffer.name].offset if buffer.name in plan.by_buffer else 0
        return f"    return ({port.c_type} *)(void *)((unsigned char *){port.arena} + {at});\n"

    def _body(
        self,
        addresses: Addresses,
        lines: Sequence[str],
        arenas: Sequence[str],
        parameters: Sequence[str],
        needed: Sequence[str] = (),
    ) -> str:
        """A body with the declarations that its lines need: these blocks at least, of a function that calls the arenas
        so."""
        blocks = dict(zip(self._blocks, arenas, strict=True))
        used = [block for block in blocks if block in needed or block in addresses.blocks()]
        declarations = [
            f"unsigned char *const {block} = (unsigned char *){blocks[block]};"
            for block in used
            if blocks[block] != block
        ]
        declarations += [local.declaration for local in addresses.locals()]
        declarations += [f"(void){arena};" for block, arena in blocks.items() if block not in used]
        declarations += [f"(void){p};" for p in parameters if p not in addresses.used_ports]
        return "".join(f"    {line}\n" if line else "\n" for line in (*declarations, *lines))

    def _row_bodies(self, source: Stage) -> tuple[list[str], list[str], list[str]]:
        """The helpers, the bodies of run, push_row and finish, and the parameters that each row needs."""
        unit, program, name = self._unit, self._program, self._unit.prefix
        first, rest = program.order[0], program.order[1:]
        if program.stages[first.first] is not source or first.reverse or first.paces[0].delay:
            raise CodegenError(f"{source.where}: rows are asked for before anything else, from the first to the last")
        helpers = []
        blocks = [f"unsigned char *{block}" for block in self._blocks]
        given = ", ".join(self._blocks)
        sweeping: list[str] = []
        if first.streams:
            addresses = self._addresses()
            lines = sweep_lines(unit, addresses, first)
            body = self._body(addresses, lines, self._blocks, [])
            sweeping = [p for p in self._declared if p in addresses.used_ports]
            parameters = [*blocks, "int t", *(self._declared[p] for p in sweeping)]
            helpers.append(
                f"/* {self._together(first)} This is what sweep t does. */\n"
                f"TINYC_NOINLINE void {name}_sweep({', '.join(parameters)})\n{{\n{body}}}\n"
            )
        addresses = self._addresses()
        lines = self._segments(addresses, rest, self._blocks)
        body = self._body(addresses, lines, self._blocks, list(self._declared))
        parameters = [*blocks, *self._declared.values()]
        helpers.append(
            f"/* The layers after the last row. */\n"
            f"TINYC_NOINLINE void {name}_rest({', '.join(parameters)})\n{{\n{body}}}\n"
        )
        height, sweeps, elements = source.rows, program.sweeps(first), row_elements(source.result)
        pace = first.paces[0]
        # Sweeps that rows which come in take part in: those after them are for the rest of the segment.
        until = min(height * pace.period, sweeps)
        sweep = f"{name}_sweep({', '.join([given, 't', *sweeping])});" if first.streams else ""
        after = f"{name}_rest({', '.join([given, *self._declared])});"

        addresses = self._addresses()
        now = "t" if pace.period == 1 else "y"
        to = addresses.row(source.result, now)
        trace = f"TINYC_TRACE({first.first}, {now} * {elements}, {to}, {elements});"
        ask = [f"{addresses.callback(source.op.operands[0])}(user, {now}, {to});", trace]
        if pace.period > 1:
            ask = [f"const int y = {row_due(source, pace, False)};", *ask]
        if condition := f"if (t < {height}) " * (height < sweeps) if pace.period == 1 else due(source, pace, sweeps):
            ask = [f"{condition}{{", *(f"    {line}" for line in ask), "}"]
        loop = [
            "TINYC_BEGIN(1);",
            *self._inputs_shown(),
            f"for (int t = 0; t < {sweeps}; ++t) {{",
            *(f"    {line}" for line in [*ask, sweep] if line),
            "}",
            after,
            "TINYC_END();",
        ]
        run = self._body(addresses, loop, self._arenas, [], self._blocks)

        addresses = self._addresses()
        to = addresses.row(source.result, "y")
        copy = [
            "TINYC_BEGIN(y == 0);",
            f"{C_TYPES[source.result.dtype]} *const to = {to};",
            f"for (int k = 0; k < {elements}; ++k) {{",
            "    to[k] = row[k];",
            "}",
            f"TINYC_TRACE({first.first}, y * {elements}, to, {elements});",
            *_sweeps_of_a_row(sweep, given, pace.period, until if until < height * pace.period else 0),
        ]
        push = self._body(addresses, copy, self._arenas, [], self._blocks if sweep else ())

        ending = [f"for (int t = {until}; t < {sweeps}; ++t) {{", f"    {sweep}", "}"] if until < sweeps else []
        end = ["TINYC_BEGIN(0);", *self._inputs_shown(), *ending, after, "TINYC_END();"]
        finish = self._body(self._addresses(), end, self._arenas, [], self._blocks)
        return helpers, [run, push, finish], sweeping

    def _inputs_shown(self) -> list[str]:
        return input_hooks(self._unit.prefix, self._program, self._inputs)

    def _together(self, segment: Segment) -> str:
        layers = f"Layers {segment.first} to {segment.stages[-1]}"
        return f"{layers} advance together, row by row: each computes a row as soon as it can."


def _sweeps_of_a_row(sweep: str, memory: str, period: int, until: int) -> list[str]:
    """The sweeps that run once row y is there, of which the last one's may end at `until`, if that is not 0; `sweep`
    runs sweep t on `memory`."""
    if period == 1:
        return [sweep.replace(f"{memory}, t", f"{memory}, y")] if sweep else []
    end = f" && t < {until}" if until else ""
    return [f"for (int t = y * {period}; t < y * {period} + {period}{end}; ++t) {{", f"    {sweep}", "}"]


def place_of(program: RowProgram, name: str) -> Place:
    """How an input comes in, or an output goes out: those of an endless program, call by call."""
    if program.endless is not None:
        return "argument"
    places: dict[Space, Place] = {Space.ARENA: "arena", Space.ROWS: "rows"}
    return places.get(program.buffer[name].space, "argument")
