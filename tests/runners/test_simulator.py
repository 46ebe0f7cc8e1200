"""What simulated machines compute and count: the same bits as this computer, exact and repeatable numbers."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import need
from tests.helpers import ROOT
from tests.runners.support import images, network, simulator
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import MACHINES, HostRunner, MissingTool, RunnerError, SimulatorRunner, runner_for
from tinyc.backends.runners.families import RISCV
from tinyc.backends.runners.simulator import CODE, CONSTANTS, section_bytes
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Compilation, api
from tinyc.ir.op import Accuracy
from tinyc.ir.tensor import Array

MODEL = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"

EXPONENTIAL = 2
"""Units in the last place by which softmax differs between C libraries: `expf` is within one in each."""
NUMPY = 1e-4
"""Relative difference of the interpreter's, which subtracts in float64 before it takes the exponential."""

pytestmark = pytest.mark.simulator


@pytest.fixture(scope="module")
def float_network() -> Compilation:
    return api.compile(MODEL, verify=False)


@pytest.fixture(scope="module")
def fused_network() -> Compilation:
    return api.compile(MODEL, verify=False, target="esp32p4")


@pytest.fixture(scope="module")
def int8_network() -> Compilation:
    rng = np.random.default_rng(4)
    data = Calibration([[rng.random((1, 1, 28, 28), np.float32)] for _ in range(4)])
    options = QuantiseOptions(calibration=data, input_type="int8", output_type="int8")
    return api.compile(MODEL, verify=False, quantise=options)


MACHINES_OF = {kind: [m.name for m in MACHINES.values() if m.family.runs_float] for kind in ("float", "int8")}
# In software, picolibc's fmaf rounds twice: no target without the instruction is given it.
MACHINES_OF["fused"] = [name for name in MACHINES_OF["float"] if MACHINES[name].has_float]


@pytest.mark.parametrize(("kind", "machine"), [(f"{k}_network", m) for k, found in MACHINES_OF.items() for m in found])
def test_the_same_bits_everywhere(kind: str, machine: str, request: pytest.FixtureRequest) -> None:
    compiled: Compilation = request.getfixturevalue(kind)
    assert compiled.source.fused is compiled.program.fused is (kind == "fused_network")
    samples = [list(s) for s in compiled.lowered.samples[:2]]
    need("gcc")
    own = simulator(compiled.source, machine, flags=())
    host = HostRunner(compiled.source)
    stages = compiled.program.stages
    for inputs, got, expected in zip(samples, own.run(samples), host.run(samples), strict=True):
        traced, expected_traces = own.trace(inputs), host.trace(inputs)
        interpreted: dict[int, Array] = {}
        outputs = run_program(compiled.program, inputs, interpreted.__setitem__, in_steps=True)
        assert traced.keys() == expected_traces.keys() == interpreted.keys()
        for stage, array in traced.items():
            exact = stages[stage].op.accuracy is not Accuracy.FUNCTION
            np.testing.assert_array_max_ulp(array, expected_traces[stage], 0 if exact else EXPONENTIAL)
            np.testing.assert_allclose(array, interpreted[stage].reshape(array.shape), 0 if exact else NUMPY)
        floats = kind != "int8_network"
        for a, b, c in zip(got, expected, outputs, strict=True):
            np.testing.assert_array_max_ulp(a, b, EXPONENTIAL if floats else 0)
            np.testing.assert_allclose(a, c, NUMPY if floats else 0)


def test_a_measurement_is_repeatable_and_consistent(int8_network: Compilation) -> None:
    own = simulator(int8_network.source, flags=())
    sample = list(int8_network.lowered.samples[0])
    found = own.measure(sample)
    assert found == own.measure(sample)
    assert found == simulator(int8_network.source, flags=()).measure(sample)
    assert len(found.layers) == len(int8_network.source.stages)
    assert min(found.layers) > 0
    # Calls after the layers are counted apart; what they change in the code around them is little.
    assert abs(sum(found.layers) - found.instructions) < 0.01 * found.instructions
    # No machine of one multiply-accumulate an instruction, and no emulated one of a hundred instructions each.
    assert 2 < found.instructions / int8_network.program.macs() < 100
    assert found.stack_bytes % 16 == 0
    assert 0 < found.stack_bytes < 4096
    assert 1000 < found.code_bytes < 50_000


def exact(body: str) -> str:
    """A network of statements with known costs."""
    return f"""
void net_run(void *arena, const int8_t *input, int8_t *output)
{{
    (void)arena;
    (void)input;
    (void)output;
    {body}
    TINYC_TRACE(0, 0, output, 30);
}}
"""


def nops(count: int) -> str:
    return f'__asm__ volatile(".rept {count}\\n nop\\n .endr");'


def test_instructions_are_counted_one_by_one() -> None:
    def count(body: str) -> tuple[int, int]:
        found = simulator(network("argument", exact(body))).measure(images(1)[0])
        (layer,) = found.layers
        return found.instructions, layer

    nothing, layer = count("")
    # The arguments, the call and the return.
    assert 0 < nothing < 20
    assert abs(layer) < 20
    for number in (1, 1000):
        assert count(nops(number)) == (nothing + number, layer + number)


def test_layers_are_counted_apart_and_parts_of_them_summed() -> None:
    body = "int k; for (k = 0; k < 7; ++k) {{ {0} TINYC_TRACE(0, k, output, 1); {1} TINYC_TRACE(3, k, output, 1); }}"
    source = network(
        "argument", exact(body.format(nops(100), nops(1000))).replace("TINYC_TRACE(0, 0, output, 30);", "")
    )
    (stage,) = source.stages
    source = dataclasses.replace(source, stages=(stage, dataclasses.replace(stage, number=3)))
    first, second = simulator(source).measure(images(1)[0]).layers
    assert 700 <= first < 700 + 7 * 10
    assert 7000 <= second < 7000 + 7 * 10


def stack(size: int) -> str:
    """A function with an array of that many bytes, all written."""
    return f"""
__attribute__((noinline)) static void deep(void)
{{
    volatile unsigned char array[{size}];
    int k;
    for (k = 0; k < {size}; ++k) {{
        array[k] = 1;
    }}
    (void)array[0];
}}
""" + exact('deep(); __asm__ volatile("");')


def test_stack_is_measured_from_the_caller_on() -> None:
    own = {size: simulator(network("argument", stack(size))).measure(images(1)[0]) for size in (16, 240, 1600)}
    for size, found in own.items():
        # The return address of the run function takes 16 bytes.
        assert found.stack_bytes == size + 16
    assert simulator(network("argument", exact(""))).measure(images(1)[0]).stack_bytes == 0


@pytest.mark.parametrize("size", [256 * 1024, 270_000])
def test_too_much_stack_is_noticed(size: int) -> None:
    with pytest.raises(RunnerError, match="more stack than the harness can measure"):
        simulator(network("argument", stack(size))).measure(images(1)[0])


@pytest.mark.parametrize("push", [False, True])
def test_what_gives_rows_is_not_counted(push: bool) -> None:
    """Neither its instructions nor its stack: the same network over rows of 6 bytes and of 600."""
    small = network("rows")
    text = """
void net_run(void *arena, net_row_fn next_row, void *user, int8_t *output)
{
    int row;
    (void)output;
    for (row = 0; row < 5; ++row) {
        next_row(user, row, arena);
    }
}

void net_start(void *arena) { (void)arena; }
void net_push_row(void *arena, const int8_t *row) { (void)arena; (void)row; }
void net_finish(void *arena, int8_t *output) { (void)arena; (void)output; }
"""
    (port,) = small.inputs
    found = []
    for columns in (1, 100):
        type_ = dataclasses.replace(port.type, shape=(1, 5, columns, 6))
        header = small.files["net.h"]
        for macro in ("INPUT_SIZE", "INPUT_BYTES"):
            header = header.replace(f"{macro} 30", f"{macro} {type_.bytes}")
        header = header.replace("ARENA_BYTES 37", "ARENA_BYTES 600")
        source = dataclasses.replace(
            small,
            files={"net.h": header, "net.c": '#include "net.h"\n' + text},
            inputs=(dataclasses.replace(port, type=type_),),
            arena_bytes=600,
            stages=(),
        )
        measured = simulator(source, push=push).measure([np.zeros(type_.shape, np.int8)])
        found.append((measured.instructions, measured.stack_bytes))
    (few, stack_bytes), (many, other_stack_bytes) = found
    # Calling and counting takes some instructions a row.
    assert abs(few - many) <= 20
    assert few < 5 * 40
    assert stack_bytes == other_stack_bytes <= 48


def test_code_is_that_of_the_network_alone() -> None:
    small, large = (simulator(network("argument", exact(nops(n)))).measure(images(1)[0]).code_bytes for n in (10, 1010))
    assert large - small == 2000, "a nop is a compressed instruction"
    assert small < 40
    unused = "void net_unused(void);\nvoid net_unused(void) {" + nops(500) + "}\n"
    assert simulator(network("argument", unused + exact(nops(10)))).measure(images(1)[0]).code_bytes == small


def test_code_and_constants_in_a_link_map() -> None:
    text = """Discarded input sections
 .text.gone     0x00000000       0x50 net.c.o
Linker script and memory map
 .text.short    0x80000000       0x10 net.c.o
                                 0x14 (size before relaxing)
 .text.a_name_that_is_long
                0x80000010      0x100 net.c.o
 .text.other    0x80000110     0x1000 harness.c.run.o
 .rodata.table  0x80001110       0x40 net.c.o
 .text          0x80001150        0x2 net_weights.c.o
 .text.a_layer  0x80001152       0x20 /some where/libesp-nn.a(conv_ansi.o)
 .text          0x80001172      0x200 /some where/libc.a(esp-nn.o)
 .srodata.cst4  0x80001372        0x8 net.c.o
 .literal.short 0x8000137c        0x4 net.c.o
 .rodatalike    0x8000137a      0x400 net.c.o
"""
    objects = {"net.c.o", "net_weights.c.o"}
    assert section_bytes(text, CODE, objects) == 0x116
    assert section_bytes(text, CODE, {*objects, "esp-nn"}) == 0x136
    assert section_bytes(text, CONSTANTS, objects) == 0x48


def test_what_the_machine_does_not_have_fails() -> None:
    atomic = '__asm__ volatile(".option push\\n.option arch, +a\\namoadd.w a0, a1, (sp)\\n.option pop" ::: "a0", "a1");'
    source = network("argument", exact(atomic))
    simulator(source, "rv32imac").run(images(1))
    with pytest.raises(RunnerError, match=r"net: exit status 1\nRISCV fault"):
        simulator(source, "rv32imc").run(images(1))


@pytest.mark.parametrize("machine", ["esp32", "xtensa-lx106"])
def test_vector_instructions_of_another_chip_are_refused(machine: str) -> None:
    source = dataclasses.replace(network(), vector_layers=1)
    with pytest.raises(RunnerError, match=f"vector instructions of the ESP32-S3, which {machine} does not have"):
        SimulatorRunner(source, MACHINES[machine])
    assert simulator(source, "rv32imc").run(images(1))


def test_a_program_that_does_not_end_is_stopped() -> None:
    simulator(network()).run(images(1))
    endless = network("argument", exact('for (;;) { __asm__ volatile(""); }'))
    with pytest.raises(RunnerError, match="did not end within 1 seconds"):
        SimulatorRunner(endless, MACHINES["rv32imc"], timeout=1.0).run(images(1))


def test_what_does_not_compile_is_reported() -> None:
    with pytest.raises(RunnerError, match=r"does not compile: riscv64-unknown-elf-gcc .*-march=rv32imc"):
        simulator(network("argument", "#error none\n"))


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in ("", str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(MissingTool) as raised:
            runner_for(network(), "rv32imc")
        for package in RISCV.packages.values():
            assert package in str(raised.value)


def test_a_compiler_without_picolibc_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "riscv64-unknown-elf-gcc").write_text("#!/bin/sh\necho picolibc.specs\n")
    (tmp_path / "qemu-system-riscv32").write_text("#!/bin/sh\n")
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match=r"needs picolibc.specs; .*: picolibc-riscv64-unknown-elf$"):
        runner_for(network(), "rv32imac")
    assert shutil.which("gcc") is None
