"""-DTINYC_PROFILE: the cycles of each layer, also where layers advance together; and that it costs nothing without."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.c.hooks import STRICT, including, printed
from tests.c.support import lowered, need
from tests.c.test_text import HOSTILE, small
from tests.passes.stream.support import planned, random_schedule
from tests.rows import Network, random_network
from tests.rows import lowered as unscheduled
from tests.runners.support import simulator
from tinyc.backends.c import CSource, generate
from tinyc.backends.runners import HostRunner, RunnerError
from tinyc.ir import DType, Module, TensorType, ops
from tinyc.ir.module import Builder
from tinyc.ir.rows import RowProgram
from tinyc.passes.rows.lower import InputPlace
from tinyc.passes.stream import Stream

PRINT = """
#include <stdint.h>
#include <stdio.h>
void net_profile(int layer, const char *name, uint32_t cycles);
void net_profile(int layer, const char *name, uint32_t cycles)
{
    printf("layer %d %lu %s\\n", layer, (unsigned long)cycles, name);
}
"""
TURNS = (
    PRINT
    + """
static uint32_t turns;
#define TINYC_CYCLES() (++turns)
"""
)
"""A clock that every look at it advances by one: a layer takes as many cycles as its result has parts."""
INSTRUCTIONS = (
    PRINT
    + """
static inline uint32_t instructions(void)
{
    uint32_t n;
    __asm__ volatile(".option push; .option arch, +zicsr; csrr %0, minstret; .option pop" : "=r"(n) : : "memory");
    return n;
}
#define TINYC_CYCLES() instructions()
"""
)
MACHINE = "rv32imc"


@pytest.fixture(autouse=True)
def _compiler() -> None:
    need("gcc")


def profiles(text: str) -> list[list[tuple[int, int, str]]]:
    """The number, the cycles and the name of each layer, for each inference."""
    found = re.findall(r"^layer (\d+) (\d+) (.*)$", text, re.MULTILINE)
    layers = [(int(n), int(cycles), name) for n, cycles, name in found]
    starts = [k for k, layer in enumerate(layers) if layer[0] == 0]
    return [layers[a:b] for a, b in zip(starts, [*starts[1:], len(layers)], strict=True)]


def parts(program: RowProgram) -> list[int]:
    """How many parts each layer's result comes in."""
    count = {}
    for segment in program.order:
        for number in segment.stages:
            stage = program.stages[number]
            count[number] = (stage.rows if segment.streams else 1) if stage.result.type.size else 0
    return [count[number] for number in range(len(program.stages))]


def scheduled(seed: int, place: InputPlace, dtype: DType = DType.I8) -> tuple[Network, RowProgram]:
    network = random_network(seed, dtype, 1 if place == "rows" else 2)
    program = unscheduled(network.module, place)
    return network, planned(Stream().run(program) if place == "rows" else random_schedule(Random(seed), program))


@pytest.mark.parametrize(
    ("seed", "place", "push"),
    [(14, "arena", False), (15, "argument", False), (308, "rows", False), (308, "rows", True)],
)
def test_each_layer_is_told_its_own_parts(seed: int, place: InputPlace, push: bool, tmp_path: Path) -> None:
    network, program = scheduled(seed, place)
    assert any(s.streams for s in program.segments)
    assert place == "rows" or any(s.reverse and s.streams for s in program.segments)
    source = generate(program, name="net")
    text = printed(source, [network.arrays] * 2, tmp_path, ["-DTINYC_PROFILE"], push=push, include=TURNS)
    first, second = profiles(text)
    assert [layer[1] for layer in first] == parts(program)
    assert first == second, "the sums of each inference begin at zero"
    names = {s.number: s.label for s in source.stages}
    assert all(name == names[number] for number, _, name in first if number in names)


@pytest.mark.simulator
@pytest.mark.parametrize(("seed", "place"), [(14, "arena"), (308, "rows")])
def test_instructions_on_a_simulated_machine(seed: int, place: InputPlace, tmp_path: Path) -> None:
    """The sums are the runner's, which counts in its own way, but for what the hooks themselves cost: up to some 60
    instructions a part. Where rows come from outside, the first layer's include what gives them."""
    network, program = scheduled(seed, place)
    source = generate(program, name="net")
    measured = simulator(source, MACHINE, flags=STRICT).measure(network.arrays).layers
    text = printed(source, [network.arrays], tmp_path, ["-DTINYC_PROFILE"], where=MACHINE, include=INSTRUCTIONS)
    (found,) = profiles(text)
    cycles = {number: count for number, count, _ in found}
    times = parts(program)
    compared = 0
    for stage, count in zip(source.stages, measured, strict=True):
        if program.takes_rows(program.stages[stage.number]):
            continue
        own = cycles[stage.number]
        assert count * 0.98 - 60 * times[stage.number] <= own <= count * 1.02 + 60 * times[stage.number], stage
        compared += count > 100 * times[stage.number]
    assert compared >= 3


def test_profile_and_dump_at_once(tmp_path: Path) -> None:
    """What the dump takes is none of a layer's cycles."""
    network, program = scheduled(14, "arena")
    include = TURNS + "#define TINYC_DUMP_LINE(text) (turns += 1000, (void)puts(text))\n"
    flags = ["-DTINYC_PROFILE", "-DTINYC_DUMP"]
    text = printed(generate(program, name="net"), [network.arrays], tmp_path, flags, include=include)
    assert [layer[1] for layer in profiles(text)[0]] == parts(program)
    assert text.count(" begin;") == text.count(" end;") == 1


def test_nothing_is_there_without_it(tmp_path: Path) -> None:
    """The machine code is that of a source without hooks."""
    for seed, place in ((14, "arena"), (15, "argument"), (308, "rows")):
        source = generate(scheduled(seed, place)[1], name="net")  # type: ignore[arg-type]
        text = source.files["net.c"]
        plain = re.sub(r"^ *TINYC_(TRACE|INPUT|BEGIN|END)\(.*\);\n", "", text, flags=re.MULTILINE)
        assert plain.count("TINYC_TRACE(") < text.count("TINYC_TRACE(")
        assert not re.search(r"^ +TINYC_(TRACE|INPUT|BEGIN|END)", plain, re.MULTILINE)
        made = []
        for body in (text, plain):
            for name, content in {**source.files, "net.c": body}.items():
                (tmp_path / name).write_text(content)
            command = ["gcc", "-std=c99", "-O1", "-S", "-o", "-", "net.c"]
            made.append(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
        assert made[0] == made[1]


def net(module: Module | None = None) -> CSource:
    return generate(lowered(module or small()), name="net")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("dump", ["-DTINYC_DUMP", "-DTINYC_DUMP_CHECKSUMS", ""])
def test_strict_compilers(compiler: str, dump: str) -> None:
    source = including(net(), TURNS)
    for flags in ([dump], [dump, "-DTINYC_PROFILE"]):
        given = [*STRICT, "-pedantic", *filter(None, flags)]
        assert HostRunner(source if len(flags) == 2 else net(), cc=compiler, flags=given)


def refusal(flags: list[str]) -> str:
    with pytest.raises(RunnerError) as caught:
        HostRunner(net(), flags=flags)
    return str(caught.value)


def test_a_profile_needs_a_clock() -> None:
    assert "define TINYC_CYCLES()" in refusal(["-DTINYC_PROFILE"])


def test_a_trace_of_ones_own_excludes_the_others() -> None:
    assert "one way to look" in refusal(["-DTINYC_DUMP", "-DTINYC_TRACE(s,f,d,c)=(void)(d)"])


def test_the_clock_of_esp_idf(tmp_path: Path) -> None:
    """On the chips the clock is ESP-IDF's."""
    for name, text in net().files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "esp_cpu.h").write_text("#include <stdint.h>\nuint32_t esp_cpu_get_cycle_count(void);\n")
    command = ["gcc", *STRICT, "-std=c99", "-DESP_PLATFORM", "-DTINYC_PROFILE", "-I.", "-c", "net.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    needed = subprocess.run(["nm", "-u", "net.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert {"esp_cpu_get_cycle_count", "net_profile"} <= set(needed.split())


def test_names_of_any_kind_are_printed(tmp_path: Path) -> None:
    b = Builder("hostile")
    x = b.input("x", TensorType((2,), DType.F32))
    for name in HOSTILE:
        x = b.add(ops.Neg(x), "", name)
    source = net(b.build([x]))
    (layers,) = profiles(
        printed(source, [[x.type.dtype.numpy.type([1, 2])]], tmp_path, ["-DTINYC_PROFILE", "-trigraphs"], include=TURNS)
    )
    assert len(layers) == len(source.stages) == len(HOSTILE)
    assert all(name.startswith("neg ") and name.isascii() and name.isprintable() for _, _, name in layers)
    assert layers[18][2] == "neg %s%n{}"
