"""What the tests of the C backend share: many small cases compiled as one program, and how results are compared."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial

import numpy as np
import pytest

from tests.generate import samples
from tests.sampling import ALL
from tinyc.backends.c import CSource, generate
from tinyc.backends.c.scratch import wanted
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir.module import Builder, Module
from tinyc.ir.op import Accuracy, Op, Value
from tinyc.ir.ops.layer import WeightedLayer
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.share import ShareBuffers
from tinyc.passes.rows.spare import UseSpareMemory

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-pedantic", "-Werror")
# Whatever the environment asks for in other tests.
AS_SHIPPED = ("-UTINYC_INLINE", "-O2")
# Without forced inlining, as with compilers other than gcc and clang, and without optimisation, which could only remove
# what the sanitisers would see: sanitised copies of kernels take long to compile.
SANITIZE = ("-DTINYC_INLINE=static inline", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O0")
# For what lies around the kernels, which are compiled as they are shipped elsewhere: a third of the time.
FUNCTIONS_ONLY = (*STRICT, "-DTINYC_INLINE=static inline", "-O1")
BUILDS = {
    "gcc": ("gcc", (*STRICT, *AS_SHIPPED)),
    "clang": ("clang", (*STRICT, *AS_SHIPPED)),
    "gcc-Os": ("gcc", (*STRICT, *AS_SHIPPED, "-Os")),
    "gcc-sanitize": ("gcc", (*STRICT, *SANITIZE)),
    "clang-sanitize": ("clang", (*STRICT, *SANITIZE)),
    "gcc-functions": ("gcc", FUNCTIONS_ONLY),
    "clang-functions": ("clang", FUNCTIONS_ONLY),
}

# What a float32 result may differ from the interpreter's. Single IEEE operations may not differ at all.
EXACT = 0.0
# The C library's functions and numpy's are each within about 2 ulp (2.4e-7) of the truth; an expression has several.
# Relative to each element.
FUNCTIONS = 1e-6
# The C sums in float32, the interpreter in float64. A sum of n terms is off by up to n/2 ulp (6e-8) of its largest
# partial sum; the cases here have up to some hundred terms, of mixed signs. Relative to the result's largest element.
SUMS = 1e-5
TOLERANCES = {Accuracy.EXACT: EXACT, Accuracy.FUNCTION: FUNCTIONS, Accuracy.SUM: SUMS}

PARAMETERS = [b for b in BUILDS if not b.endswith("functions") and (ALL or b != "gcc-Os")]
"""Builds of what a test compiles."""
AROUND = [b for b in BUILDS if b.endswith(("functions", "sanitize"))]
"""Builds for tests of what lies around the kernels."""


@cache
def problem(build: str) -> str:
    """Why programs cannot be built this way here; empty when they can."""
    compiler, flags = BUILDS[build]
    command = [compiler, *flags, "-x", "c", "-", "-o", os.devnull]
    text = "int main(void) { return 0; }\n"
    try:
        result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except OSError:
        return f"{compiler} is not installed"
    return "" if result.returncode == 0 else f"{compiler} cannot link its sanitisers: {result.stderr.splitlines()[-1]}"


def need(build: str) -> None:
    """Skips the test where programs cannot be built this way."""
    if problem(build):
        pytest.skip(problem(build))


def lowered(module: Module) -> RowProgram:
    """The planned row program."""
    program = PlanArena().run(ShareBuffers().run(Lower().run(module)))
    assert isinstance(program, RowProgram)
    return program


def with_words(program: RowProgram, tuning: Tuning) -> RowProgram:
    """The program with scratch memory wherever a kernel can use some, in an arena that has room for it."""
    words = [max(wanted(program, stage, tuning), default=0) for stage in program.stages]
    if not any(words):
        return program
    assert program.plan is not None
    plan = dataclasses.replace(program.plan, bytes=program.plan.bytes + 4 * max(words) + 4)
    planned = UseSpareMemory(partial(wanted, tuning=tuning)).run(dataclasses.replace(program, plan=plan))
    assert [s.kernel.scratch is not None for s in planned.stages] == [count > 0 for count in words]
    return planned


@dataclass
class Case:
    """An operator on values of its own: built by `make` from operands of these types, fed with these arrays.

    Operands whose number is in `constants` are constants of the program instead of inputs. The tolerance follows from
    the operator's accuracy unless one is given.
    """

    name: str
    make: Callable[..., Op]
    arrays: Sequence[Array]
    tolerance: float | None = None
    constants: frozenset[int] = field(default_factory=frozenset)

    @cached_property
    def op(self) -> Op:
        """The operator, on operands of some name."""
        types = [TensorType(tuple(a.shape), DType.of(a.dtype)) for a in self.arrays]
        return self.make(*(Value(f"v{k}", type) for k, type in enumerate(types)))

    @property
    def limit(self) -> float:
        """What a result may differ."""
        return TOLERANCES[self.op.accuracy] if self.tolerance is None else self.tolerance


def random(rng: np.random.Generator, shape: Sequence[int], dtype: DType = DType.F32) -> Array:
    """Random elements: of order one for floats, of the whole range for integers."""
    if dtype is DType.F32:
        return rng.normal(size=tuple(shape)).astype(np.float32)
    if dtype is DType.BOOL:
        return rng.integers(0, 2, tuple(shape)).astype(np.bool_)
    limits = np.iinfo(dtype.numpy)
    return rng.integers(limits.min, limits.max, tuple(shape), dtype=dtype.numpy, endpoint=True)


def sampled(kind: type[Op], count: int) -> list[Case]:
    """Random operators of a class, of so many those that a program can have."""
    cases = []
    for number, s in enumerate(samples(kind, count, calm=True)):
        if s.op.operands and not s.op.unrunnable():
            # The C of integer layers takes constant weights alone.
            weights = range(1, len(s.arrays)) if isinstance(s.op, WeightedLayer) else ()
            make = lambda *v, op=s.op: op.with_operands(v)  # noqa: E731
            cases.append(Case(f"{kind.mnemonic}_{number}", make, s.arrays, constants=s.constants.union(weights)))
    return cases


def program_of(cases: Sequence[Case]) -> tuple[RowProgram, list[Array]]:
    """One program in which every case is a stage from its own inputs to its own output, and its inputs."""
    builder = Builder("cases")
    outputs: list[Value] = []
    inputs: list[Array] = []
    for case in cases:
        operands = []
        for k, array in enumerate(case.arrays):
            if k in case.constants:
                operands.append(builder.constant(array, f"{case.name}_c{k}"))
            else:
                kind = TensorType(tuple(array.shape), DType.of(array.dtype))
                operands.append(builder.input(f"{case.name}_x{k}", kind))
                inputs.append(array)
        outputs.append(builder.add(case.make(*operands), case.name, loc=case.name))
    return lowered(builder.build(outputs)), inputs


def check(cases: Sequence[Case], build: str, *, fpu: bool = True) -> CSource:
    """Compiles all cases as one program, for a target with or without floats in hardware, and compares every result
    with the interpreter's."""
    program, inputs = program_of(cases)
    source = generate(program, name="cases", tuning=Tuning(fpu=fpu))
    compiler, flags = BUILDS[build]
    got = HostRunner(source, cc=compiler, flags=flags).run([inputs])[0]
    want = run_program(program, inputs)
    verdicts = [difference(g, w, case.limit) for case, g, w in zip(cases, got, want, strict=True)]
    wrong = [f"{case.name}: {verdict}" for case, verdict in zip(cases, verdicts, strict=True) if verdict]
    assert not wrong, "\n".join(wrong)
    return source


def difference(got: Array, want: Array, tolerance: float) -> str:
    """What is wrong with a result, or nothing. Integers, NaN, infinities, and floats of tolerance 0 must be equal."""
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    if got.dtype != np.float32 or tolerance == EXACT:
        same = (got == want) | ((got != got) & (want != want))
        return (
            "" if same.all() else f"{int((~same).sum())} of {same.size} differ: {got[~same][:4]}, not {want[~same][:4]}"
        )
    finite = np.isfinite(want)
    if not np.array_equal(np.isnan(got), np.isnan(want)) or not np.array_equal(
        got[np.isinf(want)], want[np.isinf(want)]
    ):
        return f"not finite in other places: {got.reshape(-1)[:8]}, not {want.reshape(-1)[:8]}"
    if not finite.any():
        return ""
    error = np.abs(got[finite].astype(np.float64) - want[finite])
    size = np.abs(want[finite].astype(np.float64))
    # Below the smallest normal float32 there is no relative precision.
    limit = tolerance * size + 1e-38 if tolerance == FUNCTIONS else np.full(size.shape, tolerance * size.max())
    worst = int(np.argmax(error - limit))
    return "" if error[worst] <= limit[worst] else f"off by {error[worst]:g}, more than {limit[worst]:g}"
