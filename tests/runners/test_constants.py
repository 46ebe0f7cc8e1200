"""Large constants as bytes: what the text of the C says, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import lowered, need
from tests.runners.support import need_simulator
from tinyc.backends.c import CSource, generate
from tinyc.backends.c.literals import C_TYPES, rows
from tinyc.backends.runners import MACHINES, HostRunner, RunnerError, SimulatorRunner
from tinyc.backends.runners.constants import BYTES, LARGE, ByteOrder, lean
from tinyc.ir.module import Builder
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

SIZE = LARGE + 3


def numbers(dtype: DType) -> Array:
    rng = np.random.default_rng(3)
    if dtype is DType.F32:
        return np.concatenate([rng.normal(size=SIZE - 4), [0.25, 0.0, -0.0, 3e9]]).astype(np.float32)
    limits = np.iinfo(dtype.numpy)
    lowest = int(limits.min) + (dtype.bytes >= 4)  # which has no literal
    return rng.integers(lowest, limits.max, SIZE, dtype.numpy, endpoint=True)


def definition(array: Array, body: str = "") -> str:
    kind = C_TYPES[DType.of(array.dtype)]
    return f"NET_ALIGNED const {kind} net_w[{array.size}] = {{\n{body or rows(array)}}};\n"


@pytest.mark.parametrize("dtype", [d for d in DType if d is not DType.BOOL])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_bytes_are_those_of_the_numbers_in_the_text(dtype: DType, order: ByteOrder) -> None:
    array = numbers(dtype)
    found = lean(f"before;\n{definition(array)}after;\n", order)
    assert found is not None
    assert found.data == array.astype(array.dtype.newbyteorder(order)).tobytes()
    assert found.text.count(",\n") == 0
    assert "before;\nextern NET_ALIGNED const " in found.text
    assert found.text.endswith("after;\n")


@pytest.mark.parametrize(
    ("dtype", "was", "now"),
    [
        (DType.F32, "0.25f", "NAN"),
        (DType.F32, "0.25f", "1f"),
        (DType.F32, "0.25f", "1.0"),
        (DType.F32, "0.25f", "1.0.0f"),
        (DType.F32, "-0.0f, ", ""),
        (DType.F32, "0.25f", "1.0f 2.0f"),
        (DType.F32, "0.25f", "0x1p3f"),
        (DType.I8, "17,", "017,"),
        (DType.I8, "17,", "170,"),
        (DType.I8, "17,", "17"),
        (DType.I32, "-1,", "INT32_MIN,"),
        (DType.I32, "-1,", "-1.0,"),
    ],
)
def test_what_tinyc_does_not_write_is_left_to_the_compiler(dtype: DType, was: str, now: str) -> None:
    array = numbers(dtype)
    if dtype is not DType.F32:
        array[20:30] = int(was.strip(","))
    text = definition(array)
    assert was in text
    assert lean(text, "<") is not None
    assert lean(text.replace(was, now, 1), "<") is None


def test_small_arrays_are_left_to_the_compiler() -> None:
    assert lean(definition(numbers(DType.I8)[:LARGE]), "<") is not None
    assert lean(definition(numbers(DType.I8)[: LARGE - 1]), "<") is None


def constants(turn: int = 0) -> tuple[CSource, list[Array]]:
    """A program that gives them, each from another begin on."""
    b = Builder("net")
    arrays = [np.roll(numbers(dtype), turn) for dtype in DType if dtype is not DType.BOOL]
    arrays.append(np.arange(5, dtype=np.int8))
    return generate(lowered(b.build([b.constant(a, f"c{k}") for k, a in enumerate(arrays)])), name="net"), arrays


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_program_has_what_the_text_says(compiler: str, tmp_path: Path) -> None:
    need(compiler)
    source, arrays = constants()
    for got, want in zip(HostRunner(source, cc=compiler, keep=tmp_path).run([[]])[0], arrays, strict=True):
        assert got.tobytes() == want.tobytes()
    assert (tmp_path / BYTES).stat().st_size >= sum(a.nbytes for a in arrays[:-1])


def test_a_folder_that_was_used_before(tmp_path: Path) -> None:
    """What lies there is made anew."""
    need("gcc")
    for turn in (0, 1):
        source, arrays = constants(turn)
        for got, want in zip(HostRunner(source, cc="gcc", keep=tmp_path).run([[]])[0], arrays, strict=True):
            assert got.tobytes() == want.tobytes()


@pytest.mark.simulator
def test_a_simulated_machine_has_it_too(tmp_path: Path) -> None:
    need_simulator()
    source, arrays = constants()
    runner = SimulatorRunner(source, MACHINES["rv32imc"], keep=tmp_path)
    for got, want in zip(runner.run([[]])[0], arrays, strict=True):
        assert got.tobytes() == want.tobytes()
    assert (tmp_path / BYTES).exists()


def changed(source: CSource, was: str, now: str) -> CSource:
    name = "net_weights.c"
    assert was in source.files[name]
    return dataclasses.replace(source, files={**source.files, name: source.files[name].replace(was, now, 1)})


def test_a_changed_digit_is_another_number() -> None:
    need("gcc")
    source, arrays = constants()
    float_text = f"{arrays[0][0]:.9g}f"
    got = HostRunner(changed(source, float_text, "0.125f")).run([[]])[0]
    assert got[0][0] == 0.125
    assert np.array_equal(got[0][1:], arrays[0][1:])


@pytest.mark.parametrize(("was", "now"), [("const float", "const int16_t"), (f"[{SIZE}]", f"[{SIZE + 1}]")])
def test_types_and_sizes_are_held_against_the_header(was: str, now: str) -> None:
    need("gcc")
    with pytest.raises(RunnerError, match="does not compile"):
        HostRunner(changed(constants()[0], was, now))


def test_sanitisers_see_the_arrays(tmp_path: Path) -> None:
    need("gcc")
    HostRunner(constants()[0], flags=("-fsanitize=undefined",), keep=tmp_path)
    assert not (tmp_path / BYTES).exists()
