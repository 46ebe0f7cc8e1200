"""`tinyc opt`: text IR in, passes, text IR out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.backends.interpreter import observe
from tinyc.compiler.base.files import read_text, shown, write_file
from tinyc.compiler.data.arrays import read_npz, write_npz
from tinyc.compiler.data.samples import sample_inputs
from tinyc.compiler.options.custom import load_pass
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.text import PrintedModule, format_module, format_program
from tinyc.ir.text.parser import parse_module
from tinyc.passes import AnyPass, registered
from tinyc.passes.core.manager import CompareMeaning, Instrument, PassManager, PassRecord, VerifyTypes

LARGEST_RUN = 2**25
"""Elements of all values together that the interpreter is run on; 128 MiB of float32, and as much again and more in the
midst of an operator."""


@dataclass(frozen=True)
class Optimised:
    """The printed result, and a record of each pass."""

    text: str
    records: tuple[PassRecord, ...]


def optimise_text(
    file: Path,
    names: Sequence[str],
    output: Path | None,
    verify: bool,
    debug: Sequence[str],
    trace: Callable[[str], None],
) -> Optimised:
    """Runs the named passes on the module in `file` (its large data in a .npz of the same name) and prints the result.

    With `output` the text is written there, and its large data beside it.

    Raises:
        TinycError: an unreadable file, text that is not a module, an unknown pass or one for the other level.
        PassVerificationError: a pass changed the meaning.
    """
    text = read_text(file)
    beside = file.with_suffix(".npz")
    module = parse_module(text, read_npz(beside) if beside.exists() else {}, str(file))
    instruments: list[Instrument] = [VerifyTypes()]
    if verify:
        _check_size(module, file)
        instruments.append(CompareMeaning(observe, sample_inputs(module)))
    steps = [find_pass(name) for name in names]
    result, records = PassManager(steps, instruments, debug=debug, trace=trace).run(module)
    printed = format_module(result) if isinstance(result, Module) else PrintedModule(format_program(result), {})
    if output is not None:
        write_file(output, printed.text.encode("utf-8"))
        if printed.data:
            write_npz(output.with_suffix(".npz"), printed.data)
    return Optimised(printed.text, tuple(records))


def _check_size(module: Module, file: Path) -> None:
    """Raises `TinycError` where the interpreter would need gigabytes: it holds all values of a module at once."""
    computed = [n.result for n in module.nodes if n.op.constant() is None]
    values = sorted((*module.inputs, *computed), key=lambda v: -v.type.size)
    total = sum(v.type.size for v in values)
    if total > LARGEST_RUN:
        raise TinycError(
            f"{shown(file)}: the values have {total:,} elements together, the largest {values[0]}: {values[0].type}; "
            f"before and after a pass can be compared up to {LARGEST_RUN:,}: make them smaller, or do not verify"
        )


def find_pass(name: str) -> AnyPass:
    """A registered pass by name, or a custom one as `load_pass` takes it."""
    if name in registered():
        try:
            return registered()[name]()
        except TypeError as error:
            raise TinycError(f"pass {name} needs options that the command line cannot give ({error})") from None
    if ":" in name:
        return load_pass(name)
    raise TinycError(f"there is no pass {name!r}; `tinyc passes` lists them")
