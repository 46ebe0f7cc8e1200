"""A translation unit while it is being made: the kernels it uses, its constants and its specialised functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tinyc.backends.c.expressions import Printer
from tinyc.backends.c.library import Kernels
from tinyc.backends.c.names import Names
from tinyc.backends.c.pairs import Pairs, pairs_of
from tinyc.backends.c.shares import Shares, shares_of
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.backends.c.weights import Constants
from tinyc.backends.libraries.operands import constant
from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Rows:
    """An argument: the row pointers of an operand's window."""

    operand: int


@dataclass(frozen=True)
class Count:
    """An argument: how many rows of an operand's window exist."""

    operand: int


@dataclass(frozen=True)
class Pointer:
    """An argument: where an operand's elements begin, or for one read row by row those of the row."""

    operand: int


@dataclass(frozen=True)
class Scratch:
    """An argument: the stage's scratch memory."""


@dataclass(frozen=True)
class Turn:
    """An argument of a stage that gathers rows: whether this is the first of them, or else the last."""

    first: bool


Argument = Rows | Count | Pointer | Scratch | Turn | str


@dataclass(frozen=True)
class RowCall:
    """What one step of a stage calls: a function and its arguments before the last, the output row.

    Text among the arguments is an expression, in which `y` is the number of the row. `long_rows` says that any number
    of rows may be handed over as one long row.
    """

    function: str
    arguments: tuple[Argument, ...]
    long_rows: bool = False


class TranslationUnit:
    """The emitters' view of the output: they ask for kernels, constants and functions, and get C names.

    Args:
        prefix: what names begin with.
        program: what is printed.
        tuning: what for.
    """

    def __init__(self, prefix: str, program: RowProgram, tuning: Tuning = DEFAULT) -> None:
        self.prefix = prefix
        self.program = program
        self.tuning = tuning
        self.names = Names(f"{prefix}_run")
        self.kernels = Kernels(program.fused)
        self.kernels.include("common")
        if any(b.value.dtype.is_float for b in program.buffers):
            self.kernels.include("uncontracted")
        self.printer = Printer(self.kernels)
        self.constants = Constants(prefix, self.names)
        self._functions: dict[tuple[str, str], str] = {}
        self._pairs: dict[str, Pairs | None] = {}
        self.libraries: dict[str, str] = {}
        self.widening: float | None = None

    @cached_property
    def shares(self) -> Shares:
        """What parts of the network layers have."""
        return shares_of(self.program, self.tuning.tile)

    def pairs(self, stage: Stage) -> Pairs | None:
        """The weights of a stage in pairs; None for one that has no memory for that."""
        if not stage.kernel.has_spare:
            return None
        if stage.result.name not in self._pairs:
            self._pairs[stage.result.name] = pairs_of(self.program, stage)
        return self._pairs[stage.result.name]

    def constant(self, value: Value) -> Array | None:
        """The array of a value that is a constant, or a part of one."""
        return constant(self.program, value)

    def use_library(self, name: str, includes: str) -> None:
        """Makes the functions of a kernel library available; `includes` are the lines that declare them."""
        self.libraries[name] = includes

    def function(self, hint: str, parameters: str, body: str) -> str:
        """The name of a static function with these parameters and this body; the same one whenever both are equal."""
        key = (parameters, body)
        if key not in self._functions:
            self._functions[key] = self.names.fresh(f"{hint}_{len(self._functions)}", f"{self.prefix}_")
        return self._functions[key]

    @property
    def function_count(self) -> int:
        """How many functions there are."""
        return len(self._functions)

    def functions(self) -> str:
        """Definitions of all functions."""
        return "\n".join(
            f"TINYC_NOINLINE void {name}({parameters})\n{{\n{body}}}\n"
            for (parameters, body), name in self._functions.items()
        )
