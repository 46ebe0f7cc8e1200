"""Which kernel libraries a compilation may use."""

from __future__ import annotations

from tinyc.backends.libraries import libraries
from tinyc.backends.targets import find
from tinyc.compiler.options import Options
from tinyc.ir.errors import TinycError
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.kernels import KernelLibrary


def kernel_libraries(options: Options) -> tuple[KernelLibrary, ...]:
    """The libraries that the options ask for. Raises `TinycError` for one that the target does not have."""
    if options.kernels == "generic":
        return ()
    target = find(options.target)
    found = libraries(options.kernels, target.simd, target.isa)
    missing = [library.name for library in found if not target.supports(library.name)]
    if missing and options.kernels != "auto":
        known = ", ".join(target.kernels) or "none"
        raise TinycError(
            f"`kernels={options.kernels}`: there is no {missing[0]} for the target {target.name} (kernel libraries: "
            f"{known}); take `kernels=generic`"
        )
    return tuple(library for library in found if library.name not in missing)


def kernel_notes(program: RowProgram, options: Options) -> list[str]:
    """What is said of a compilation that asked for a library and could not use it anywhere."""
    if options.kernels in ("generic", "auto") or any(s.kernel.library for s in program.stages):
        return []
    reasons = [s.kernel.note for s in program.stages if s.kernel.note]
    why = f" ({reasons[0]}, ...)" if reasons else ""
    return [f"`kernels={options.kernels}`: no layer could be given to it{why}; all kernels are tinyc's own"]
