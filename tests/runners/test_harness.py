"""The forms of a network's interface, and what the harness and the runners notice, here and on a simulated machine."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import BUILDS, need
from tests.runners.support import ANYWHERE, HEADER, IMAGE, ROW, STRICT, Place, giving, halves, images, network, runner
from tinyc.backends.c.source import CSource
from tinyc.backends.runners import HostRunner, RunnerError
from tinyc.backends.runners.exchange import unpack_outputs, unpack_traces


@pytest.fixture(autouse=True)
def _compiler() -> None:
    need("gcc")


FORMS = [("argument", False), ("arena", False), ("rows", False), ("rows", True)]


@pytest.mark.parametrize("where", ANYWHERE)
@pytest.mark.parametrize(("place", "push"), FORMS)
def test_every_form_of_input(place: Place, push: bool, where: str) -> None:
    inputs = images(4)
    own = runner(network(place), where, push=push)
    for (image,), (got,) in zip(inputs, own.run(inputs), strict=True):
        np.testing.assert_array_equal(got, halves(image))
    traced = own.traces(inputs)
    last = max(traced)
    assert last == (1 if place == "rows" else 0)
    np.testing.assert_array_equal(traced[last], np.stack([halves(image) for (image,) in inputs]))
    if place == "rows":
        np.testing.assert_array_equal(traced[0], np.stack([image for (image,) in inputs]))
    np.testing.assert_array_equal(own.trace(inputs[2])[last], halves(inputs[2][0]))


@pytest.mark.parametrize("place", ["argument", "arena", "rows"])
@pytest.mark.parametrize("build", ["gcc", "clang", "gcc-sanitize", "clang-sanitize"])
def test_the_harness_is_clean(build: str, place: Place) -> None:
    need(build)
    compiler, flags = BUILDS[build]
    inputs = images(2)
    for push in (False, True) if place == "rows" else (False,):
        own = HostRunner(network(place), cc=compiler, flags=flags, push=push)
        np.testing.assert_array_equal(own.run(inputs)[1][0], halves(inputs[1][0]))


WRONG_ROWS = {
    "out of order": ("user, row, arena", "user, 4 - row, arena"),
    "twice the same": ("user, row, arena", "user, row / 2, arena"),
    "another user": ("user, row, arena", "&row, row, arena"),
    "one more": ("int row;\n    for", "int row;\n    next_row(user, 5, arena);\n    for"),
    "not all": ("row < 5; ++row) {\n        next_row", "row < 4; ++row) {\n        next_row"),
}


@pytest.mark.parametrize("where", ANYWHERE)
@pytest.mark.parametrize("case", WRONG_ROWS)
def test_rows_are_asked_for_once_and_in_order(case: str, where: str) -> None:
    with pytest.raises(RunnerError, match="rows of its input one by one"):
        runner(network("rows", replace=WRONG_ROWS[case]), where, flags=("-w",)).run(images(1))


@pytest.mark.parametrize("where", ANYWHERE)
def test_rows_that_are_handed_over(where: str) -> None:
    inputs = images(2)
    own = runner(giving(), where)
    for got, (image,) in zip(own.run(inputs), inputs, strict=True):
        np.testing.assert_array_equal(got[0], halves(image))
    np.testing.assert_array_equal(own.trace(inputs[0])[0], halves(inputs[0][0]))


WRONG_GIVEN = {
    "out of order": ("on_row(user, row,", "on_row(user, 4 - row,"),
    "twice the same": ("on_row(user, row,", "on_row(user, row / 2,"),
    "another user": ("on_row(user, row,", "on_row(&row, row,"),
    "one more": ("int row, k;\n    for", "int row, k;\n    on_row(user, 5, bytes);\n    for"),
    "not all": ("row < 5", "row < 4"),
}


@pytest.mark.parametrize("where", ANYWHERE)
@pytest.mark.parametrize("case", WRONG_GIVEN)
def test_rows_are_handed_over_once_and_in_order(case: str, where: str) -> None:
    with pytest.raises(RunnerError, match="rows of its output one by one"):
        runner(giving(replace=WRONG_GIVEN[case]), where, flags=("-w",)).run(images(1))


def test_what_is_handed_over_is_no_more_than_was_written() -> None:
    """The row as it is when it is handed over counts, not what becomes of it."""
    late = ("on_row(user, row, bytes);", "on_row(user, row, bytes + 6 * (row == 4));")
    (got,) = HostRunner(giving(replace=late), flags=STRICT).run(images(1))[0]
    np.testing.assert_array_equal(got[:, :4], halves(images(1)[0][0])[:, :4])
    assert (got[:, 4] != halves(images(1)[0][0])[:, 4]).any()


@pytest.mark.parametrize("where", ANYWHERE)
@pytest.mark.parametrize(("name", "size", "word"), [("output", 30, "output"), ("arena", 37, "arena")])
@pytest.mark.parametrize("behind", [True, False])
def test_writes_outside_are_noticed(name: str, size: int, word: str, behind: bool, where: str) -> None:
    at = size if behind else -1
    source = network("argument", replace=("(void)arena;", f"((volatile int8_t *){name})[{at}] = 1;"))
    with pytest.raises(RunnerError, match=f"outside (its|an) {word}"):
        runner(source, where, flags=("-w",)).run(images(1))


def test_the_layer_that_writes_outside_is_named() -> None:
    """The second of two stages, which advance row by row, spoils the byte after the arena with its third row."""
    spoiling = ("TINYC_TRACE(1, row", "if (row == 2) {\n        ring[37] = 1;\n    }\n    TINYC_TRACE(1, row")
    own = HostRunner(network("rows", replace=spoiling), flags=("-w",))
    with pytest.raises(RunnerError, match=r"net: the network wrote outside its arena"):
        own.run(images(1))
    with pytest.raises(RunnerError, match=r"net: layer 1, stage 1: the network wrote outside its arena"):
        own.trace(images(1)[0])


@pytest.mark.parametrize(
    "macro", ["ARENA_BYTES 37", "ARENA_ALIGN 1", "INPUT_SIZE 30", "INPUT_BYTES 30", "OUTPUT_SIZE 30"]
)
def test_macros_that_are_not_as_planned_do_not_compile(macro: str) -> None:
    source = network()
    name, number = macro.split()
    header = source.files["net.h"].replace(f"NET_{macro}\n", f"NET_{name} {int(number) + 1}\n")
    wrong = dataclasses.replace(source, files={**source.files, "net.h": header})
    with pytest.raises(RunnerError, match=f"NET_{name}_is_as_planned"):
        HostRunner(wrong)


def test_an_arena_that_is_defined_too_small_does_not_compile() -> None:
    source = network()
    define = "#define NET_ARENA(name) static unsigned char name[36]\n"
    wrong = dataclasses.replace(source, files={**source.files, "net.h": source.files["net.h"] + define})
    with pytest.raises(RunnerError, match="NET_ARENA_is_as_planned"):
        HostRunner(wrong)


def test_a_pushed_row_does_not_last() -> None:
    """A network that keeps a pointer to the row, instead of the row, finds garbage there."""
    lazy = """
static const int8_t *kept;

void net_start(void *arena)
{
    (void)arena;
}

void net_push_row(void *arena, const int8_t *row)
{
    (void)arena;
    kept = row;
}

void net_finish(void *arena, int8_t *output)
{
    int k;
    (void)arena;
    for (k = 0; k < 30; ++k) {
        output[k] = kept[k % 6];
    }
}
"""
    (got,) = HostRunner(network("rows", lazy), flags=STRICT, push=True).run([[np.ones(IMAGE.shape, np.int8)]])[0]
    assert set(got.flat) == {np.uint8(0xA7).view(np.int8)}


def test_only_rows_can_be_pushed() -> None:
    with pytest.raises(RunnerError, match="declares no net_push_row"):
        HostRunner(network("argument"), push=True)


def records(*parts: tuple[int, int, bytes]) -> bytes:
    return b"".join(struct.pack("<iii", stage, first, len(data)) + data for stage, first, data in parts)


END = (-1, 0, b"")
WHOLE = bytes(range(30))


def test_traces_are_put_together_from_parts_in_any_order() -> None:
    source = network()
    parts = [(0, 24, WHOLE[24:]), (0, 0, WHOLE[:10]), (0, 10, WHOLE[10:24]), END]
    (found,) = unpack_traces(source, records(*parts, *parts), 2).values()
    assert found.shape == (2, *IMAGE.shape)
    assert found.dtype == np.int8
    assert [a.tobytes() for a in found] == [WHOLE] * 2


@pytest.mark.parametrize(
    ("parts", "count", "message"),
    [
        ([(0, 0, WHOLE[:29]), END], 1, "byte 29 of stage 0 0 times"),
        ([(0, 0, WHOLE), (0, 5, WHOLE[:1]), END], 1, "byte 5 of stage 0 2 times"),
        ([(0, 1, WHOLE), END], 1, "bytes 1 to 31 of stage 0, which has none"),
        ([(0, -1, WHOLE), END], 1, "bytes -1 to 29"),
        ([(3, 0, WHOLE), END], 1, "of stage 3"),
        ([(0, 0, WHOLE)], 1, "ends within an inference"),
        ([(0, 0, WHOLE), END], 2, "not 54 for each of 2"),
        ([(0, 0, WHOLE[:9]), (0, 9, WHOLE[9:]), END, (0, 9, WHOLE[:9]), (0, 0, WHOLE[9:]), END], 2, "the same parts"),
        ([], 1, "ends within an inference"),
    ],
)
def test_incomplete_traces_are_refused(parts: list[tuple[int, int, bytes]], count: int, message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        unpack_traces(network(), records(*parts), count)


def test_outputs_of_another_size_are_refused() -> None:
    with pytest.raises(RunnerError, match="has 31 bytes, not 30"):
        unpack_outputs(network().outputs, bytes(31), 1)


@pytest.mark.parametrize("where", ANYWHERE)
def test_a_stage_that_is_traced_in_part_is_noticed(where: str) -> None:
    source = network(replace=("TINYC_TRACE(0, 0, output, 30)", "TINYC_TRACE(0, 1, output + 1, 29)"))
    own = runner(source, where)
    own.run(images(1))
    with pytest.raises(RunnerError, match="byte 0 of stage 0 0 times"):
        own.trace(images(1)[0])


def test_several_inputs_in_the_arena() -> None:
    source = network("arena")
    (port,) = source.inputs
    a, b = (dataclasses.replace(port, name=f"input_{n}", macro=f"NET_INPUT_{n.upper()}") for n in "ab")
    body = """#include "net.h"
int8_t *net_input_a(void *arena) { return (int8_t *)arena; }
int8_t *net_input_b(void *arena) { return (int8_t *)arena + 30; }
void net_run(void *arena, int8_t *output)
{
    int8_t *all = arena;
    int k;
    for (k = 0; k < 30; ++k) {
        output[k] = (int8_t)(all[k] / 2 - all[30 + k] / 2);
    }
}
"""
    header = HEADER.replace("ARENA_BYTES 37", "ARENA_BYTES 60") + (
        "#define NET_INPUT_A_SIZE 30\n#define NET_INPUT_A_BYTES 30\n"
        "#define NET_INPUT_B_SIZE 30\n#define NET_INPUT_B_BYTES 30\nint8_t *net_input_a(void *arena);\n"
        "int8_t *net_input_b(void *arena);\nvoid net_run(void *arena, int8_t *output);\n"
    )
    both = dataclasses.replace(source, files={"net.h": header, "net.c": body}, arena_bytes=60, inputs=(a, b), stages=())
    left, right = images(2)
    (got,) = HostRunner(both, flags=STRICT).run([[*left, *right]])[0]
    np.testing.assert_array_equal(got, halves(left[0]) - halves(right[0]))


def test_an_input_beside_rows() -> None:
    source = network("rows")
    (rows,) = source.inputs
    other = dataclasses.replace(rows, name="input_b", macro="NET_INPUT_B", place="argument")
    body = """#include "net.h"
void net_run(void *arena, const int8_t *input_b, net_row_fn next_row, void *user, int8_t *output)
{
    int row, k;
    for (row = 0; row < 5; ++row) {
        next_row(user, row, arena);
        for (k = 0; k < 6; ++k) {
            output[row * 6 + k] = (int8_t)(((int8_t *)arena)[k] / 2 - input_b[row * 6 + k] / 2);
        }
    }
}
"""
    header = HEADER + (
        "#define NET_INPUT_B_SIZE 30\n#define NET_INPUT_B_BYTES 30\n"
        "typedef void (*net_row_fn)(void *user, int row, int8_t *to);\n"
        "void net_run(void *arena, const int8_t *input_b, net_row_fn next_row, void *user, int8_t *output);\n"
    )
    both: CSource = dataclasses.replace(source, files={"net.h": header, "net.c": body}, inputs=(other, rows), stages=())
    left, right = images(2)
    (got,) = HostRunner(both, flags=STRICT).run([[*right, *left]])[0]
    np.testing.assert_array_equal(got, halves(left[0]) - halves(right[0]))
    with pytest.raises(RunnerError, match="declares no net_push_row"):
        HostRunner(both, push=True)


def test_a_crash_is_reported() -> None:
    """A network that ends the program instead of returning."""
    crash = network(replace=("(void)arena;", "__builtin_trap();"))
    with pytest.raises(RunnerError, match="net: stopped by SIG"):
        HostRunner(crash, flags=("-w",)).run(images(1))


def test_what_is_kept(tmp_path: Path) -> None:
    own = HostRunner(network(), keep=tmp_path / "new" / "folder")
    own.run(images(1))
    names = {p.name for p in (tmp_path / "new" / "folder").iterdir()}
    assert names >= {"net.c", "net.h", "harness.c", "harness_network.h", "run", "inputs.bin", "outputs.bin"}
    assert (tmp_path / "new" / "folder" / "outputs.bin").stat().st_size == ROW * 5
