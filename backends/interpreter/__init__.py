"""The interpreter: the definition of what a module and a row program mean, in numpy."""

from tinyc.backends.interpreter.observe import observe
from tinyc.backends.interpreter.rows import run_program
from tinyc.backends.interpreter.tensor import run_module
from tinyc.ir.module import Module
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

__all__ = ["observe", "run", "run_module", "run_program"]


def run(ir: Module | RowProgram, inputs: list[Array]) -> list[Array]:
    """The outputs of either level for these inputs, both in the IR's order."""
    return run_module(ir, inputs) if isinstance(ir, Module) else run_program(ir, inputs)
