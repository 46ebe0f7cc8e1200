"""Tables of measured register tiles: what they say, what is found in them, and that no result depends on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import AS_SHIPPED, STRICT, Case, need, program_of, sampled
from tests.helpers import same_bits
from tinyc.backends.c import generate
from tinyc.backends.c.pairs import wanted_words
from tinyc.backends.c.tuned import (
    KINDS,
    RULE,
    Choices,
    Shape,
    Tiling,
    TunedError,
    load,
    read,
    shape_of,
    shipped,
    written,
)
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.backends.targets import builtin
from tinyc.compiler.lowering.tuning import tuning_of
from tinyc.ir import ops
from tinyc.ir.op import Op
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.rows.spare import UseSpareMemory

TABLE = """
[qpointwise]
"pixels=144 inputs=64 outputs=64" = {tile = 3, paired_tile = 0}

[conv]
"kh=3 kw=3 stride=2 channels=3 outputs=8 out_width=48 groups=1" = {tile = 6}
"""
POINTWISE = Shape("qpointwise", (144, 64, 64))
CHOICES = {POINTWISE: Tiling(3, 0), Shape("conv", (3, 3, 2, 3, 8, 48, 1)): Tiling(6)}


def test_a_table_is_read_as_it_is_written() -> None:
    assert read(TABLE, "t.toml") == CHOICES
    assert read(written(CHOICES, "two\nlines"), "t.toml") == CHOICES


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[qpointwise\n", "t.toml: not valid TOML: "),
        ("\n[pointwise8]\n", "t.toml, line 2: no kind of kernel is 'pointwise8'; they are qpointwise, qconv, "),
        ("tile = 3\n", "t.toml: no kind of kernel is 'tile'"),
        (
            '[pointwise]\n[qpointwise]\n"pixels=1 inputs=2" = {tile = 3}\n',
            "t.toml, line 3: [qpointwise] 'pixels=1 inputs=2': a shape is written as pixels=N inputs=N outputs=N",
        ),
        (
            '[qpointwise]\n\n"pixels=1 inputs=2 outputs=3" = {tile = 5}\n',
            "t.toml, line 3: [qpointwise] 'pixels=1 inputs=2 outputs=3': tile is 1 to 4, not 5",
        ),
        ('[qpointwise]\n"pixels=1 inputs=2 outputs=3" = {paired_tile = true}\n', "paired_tile is 0 to 4, not True"),
        ('[pointwise]\n"pixels=1 inputs=2 outputs=3" = {paired_tile = 2}\n', "takes tile, as in {tile = 8}, not"),
        ('[qpointwise]\n"pixels=1 inputs=2 outputs=3" = 4\n', "takes tile and paired_tile, as in {tile = 4}, not 4"),
    ],
)
def test_what_a_table_cannot_say(text: str, told: str) -> None:
    with pytest.raises(TunedError) as caught:
        read(text, "t.toml")
    assert told in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TunedError, match=r"cannot read '.*none.toml': No such file"):
        load(tmp_path / "none.toml")


def test_every_table_that_comes_with_tinyc_is_of_a_target() -> None:
    folder = resources.files("tinyc.backends.targets") / "tuned"
    files = {f.name.removesuffix(".toml") for f in folder.iterdir()}
    assert files <= {t.tuned_on for t in builtin().values()}
    assert all(shipped(name).entries for name in files)
    assert shipped("") == shipped("no_machine") == Choices()


def test_the_users_table_stands_in_for_tinycs(tmp_path: Path) -> None:
    target = builtin()["esp32c3"]
    mine = {POINTWISE: Tiling(2)}
    (tmp_path / "mine.toml").write_text(written(mine, "mine"), encoding="utf-8")
    assert tuning_of("balanced", target).choices == shipped("rv32imc")
    assert tuning_of("speed", target, tmp_path / "mine.toml").choices == Choices(mine)
    assert tuning_of("size", target, tmp_path / "mine.toml").choices == Choices()


def is_wide(op: Op) -> bool:
    """Whether it has to do with int16, for which there are no register tiles to choose."""
    return DType.I16 in (op.type.dtype, *(v.dtype for v in op.operands))


def light(kind: type[Op], count: int) -> list[Case]:
    """Random layers; the weights of those of integers are halved, so that they can be paired."""
    cases = [case for case in sampled(kind, 4 * count) if not is_wide(case.op)][:count]
    for case in cases:
        if case.arrays[1].dtype == np.int8:
            case.arrays = [case.arrays[0], case.arrays[1] // 2, *case.arrays[2:]]
    return cases


def roomy(cases: Sequence[Case]) -> tuple[RowProgram, list[Array]]:
    """The program of some cases, in an arena with a gap for words of weights, and its inputs."""
    program, inputs = program_of(cases)
    assert program.plan is not None
    plan = dataclasses.replace(program.plan, bytes=program.plan.bytes + 65_536)
    return dataclasses.replace(program, plan=plan), inputs


@pytest.mark.parametrize("kind", [ops.QConv2d, ops.QDense, ops.Conv2d, ops.Dense])
def test_results_are_the_same_with_any_tile(kind: type[Op]) -> None:
    """And functions differ with the tiles: the choices reach the kernels."""
    need("gcc")
    program, inputs = roomy(light(kind, 10))
    shapes = {shape_of(stage) for stage in program.stages}
    assert None not in shapes
    want = None if kind.mnemonic in ("conv2d", "dense") else run_program(program, inputs)
    texts, pairs = set(), 0
    for number, pairing in ((1, False), (3, False), (4, False), (2, True), (4, True)):
        entries = {s: Tiling(*((None, number) if pairing else (number, 0))) for s in shapes if s is not None}
        tuning = Tuning(choices=Choices(entries))
        scratch = UseSpareMemory(partial(wanted_words, tuning=tuning)).run(program)
        paired = [stage for stage in scratch.stages if stage.kernel.scratch is not None]
        assert not paired or pairing
        pairs += len(paired)
        source = generate(scratch, name="cases", tuning=tuning)
        texts.add("".join(source.files.values()))
        got = HostRunner(source, flags=(*STRICT, *AS_SHIPPED)).run([inputs])[0]
        want = got if want is None else want
        assert all(same_bits(g, w) for g, w in zip(got, want, strict=True)), entries
    assert len(texts) >= 3
    assert bool(pairs) == KINDS[next(s.kind for s in shapes if s is not None)].pairs


def test_a_choice_pairs_where_the_rule_does_not() -> None:
    """A dense layer of one row: too few pixels for the rule, enough for whoever measured it."""
    program, _ = roomy(light(ops.QDense, 40))
    counts = []
    for choices in (Choices(otherwise=Tiling(paired_tile=0)), Choices(), Choices(otherwise=Tiling(paired_tile=2))):
        words = partial(wanted_words, tuning=Tuning(choices=choices))
        counts.append(sum(s.kernel.scratch is not None for s in UseSpareMemory(words).run(program).stages))
    assert counts[0] == 0
    assert counts[1] < counts[2]
    assert not any(wanted_words(program, s, Tuning(paired_tile=0)) for s in program.stages)


def test_layers_without_tiles_have_no_choice() -> None:
    program, _ = program_of(sampled(ops.QDepthwiseConv2d, 1))
    assert Choices(otherwise=Tiling(2)).find(program.stages[0]) == RULE
    assert {kind for kind in KINDS if KINDS[kind].pairs} == {"qpointwise", "qconv"}
