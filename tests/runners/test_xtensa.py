"""Networks on the simulated Xtensa cores: the same bits as elsewhere, exact counts; and no floats on the ESP8266's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.networks import mobilenet_v1
from tests.c.support import need
from tests.compiler.test_cli import refused, tinyc
from tests.helpers import ROOT
from tests.runners.support import Place, halves, images, need_simulator, network, simulator
from tests.runners.test_simulator import exact, nops, stack
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import MACHINES, MissingTool, RunnerError, SimulatorRunner, runner_for
from tinyc.backends.runners.families import RISCV, WINDOWED
from tinyc.backends.runners.tools import tools_for
from tinyc.backends.targets import find, on_machine
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Compilation, api
from tinyc.ir.tensor import Array

MODEL = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
NAMES = [name for name, machine in MACHINES.items() if machine.family is not RISCV]
LX106 = "xtensa-lx106"

pytestmark = pytest.mark.simulator


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    need_simulator(request.param)
    return str(request.param)


def quantised(model: Path, *shape: int, inferences: int = 4, **options: str) -> Compilation:
    """The model in int8, inputs and outputs included, calibrated with noise."""
    rng = np.random.default_rng(4)
    data = Calibration([[rng.random(shape, np.float32)] for _ in range(inferences)])
    quantise = QuantiseOptions(calibration=data, input_type="int8", output_type="int8")
    return api.compile(model, verify=False, quantise=quantise, **options)


def same_bits_as_the_interpreter(compiled: Compilation, samples: list[list[Array]], name: str) -> None:
    own = simulator(compiled.source, name)
    for inputs, got in zip(samples, own.run(samples), strict=True):
        for a, b in zip(got, run_program(compiled.program, inputs), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rows_from", ["arena", "argument", "callback"])
def test_mobile_lenet(rows_from: str, name: str) -> None:
    compiled = (
        quantised(MODEL, 1, 28, 28, 1, rows_from=rows_from)
        if rows_from == "callback"
        else quantised(MODEL, 1, 1, 28, 28, rows_from=rows_from)
    )
    samples = [list(s) for s in compiled.lowered.samples]
    assert len({s[0].tobytes() for s in samples}) == len(samples)
    same_bits_as_the_interpreter(compiled, samples, name)
    traced = simulator(compiled.source, name).trace(samples[0])
    assert sorted(traced) == [s.number for s in compiled.source.stages]


@pytest.mark.slow
def test_mobilenet(tmp_path: Path, name: str) -> None:
    onnx.save(mobilenet_v1(0.25, 64), tmp_path / "mobilenet.onnx")
    compiled = quantised(tmp_path / "mobilenet.onnx", 1, 3, 64, 64, inferences=2)
    same_bits_as_the_interpreter(compiled, [list(s) for s in compiled.lowered.samples], name)


def test_verify_and_bench(tmp_path: Path, name: str) -> None:
    need("gcc")
    rng = np.random.default_rng(8)
    np.savez(tmp_path / "cal.npz", image=rng.random((4, 1, 28, 28), np.float32))
    integers = ("--quantize", "int8", "--calibration", tmp_path / "cal.npz", "--input-type", "int8")
    integers = (*integers, "--output-type", "int8")
    result = tinyc("verify", MODEL, "--on", f"host,{name}", *integers, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [e["executor"] for e in document["executors"]] == ["host", name]
    assert [e["max_abs_error"] for e in document["executors"]] == [0.0, 0.0]
    document = json.loads(tinyc("bench", MODEL, "--on", name, *integers, "--json").stdout)
    assert (document["on"], document["macs"]) == (name, 452_216)
    # An instruction has at most one product, or sixteen where kernels take vectors.
    fewest = 1 / 16 if on_machine(find("host"), name).pie else 2
    assert fewest < document["instructions_per_mac"] < 50


def test_floats_are_refused_with_what_helps() -> None:
    need_simulator(LX106)
    compiled = api.compile(MODEL, verify=False)
    with pytest.raises(RunnerError) as caught:
        runner_for(compiled.source, LX106)
    for word in ("computes with floats in conv2d stem", LX106, "__mulsf3", "rv32imc", "`input_type=int8`"):
        assert word in str(caught.value)
    assert LX106 not in str(caught.value).partition("run it on")[2]
    refused(tinyc("verify", MODEL, "--on", LX106), "computes with floats", "--quantize int8")


@pytest.mark.parametrize("push", [False, True])
@pytest.mark.parametrize("place", ["argument", "arena", "rows"])
def test_every_form_of_input(place: Place, push: bool, name: str) -> None:
    if push and place != "rows":
        pytest.skip("only rows are pushed")
    inputs = images(3)
    own = simulator(network(place), name, push=push)
    for (image,), (got,) in zip(inputs, own.run(inputs), strict=True):
        np.testing.assert_array_equal(got, halves(image))


def test_instructions_are_counted_one_by_one(name: str) -> None:
    def count(body: str) -> tuple[int, int]:
        found = simulator(network("argument", exact(body)), name).measure(images(1)[0])
        return found.instructions, found.layers[0]

    nothing, layer = count("")
    assert 0 < nothing < 20
    assert abs(layer) < 40
    for number in (1, 2, 3, 1000, 100_000):
        assert count(nops(number)) == (nothing + number, layer + number)


def test_a_measurement_is_repeatable(name: str) -> None:
    compiled = quantised(MODEL, 1, 1, 28, 28)
    sample = list(compiled.lowered.samples[0])
    own = simulator(compiled.source, name)
    found = own.measure(sample)
    assert found == own.measure(sample)
    assert abs(sum(found.layers) - found.instructions) < 0.01 * found.instructions
    assert min(found.layers) > 0
    assert 1000 < found.code_bytes < 50_000


@pytest.mark.slow
def test_more_instructions_than_the_clock_counts_are_refused(name: str) -> None:
    clock = tools_for(MACHINES[name]).clock
    assert clock is not None
    body = f"""
    int k;
    for (k = 0; k < {clock.countable // 2_000_000}; ++k) {{
        int j;
        for (j = 0; j < 10000; ++j) {{
            __asm__ volatile(".rept 250\\n nop.n\\n .endr");
        }}
        TINYC_TRACE(0, 0, output, 0);
    }}"""
    with pytest.raises(RunnerError, match=rf"no more than {clock.countable:,} can be counted"):
        simulator(network("argument", exact(body)), name).measure(images(1)[0])


def test_stack_is_measured_from_the_caller_on(name: str) -> None:
    # Two frames: of 32 bytes each beside the array where registers come in windows, the least that there is.
    least, most = (64, 64) if MACHINES[name].family is WINDOWED else (16, 48)
    for size in (16, 240, 1600):
        found = simulator(network("argument", stack(size)), name).measure(images(1)[0])
        assert size + least <= found.stack_bytes <= size + most
    assert simulator(network("argument", exact("")), name).measure(images(1)[0]).stack_bytes == 0


ARITHMETIC = """
static uint64_t word(const int8_t *from)
{
    uint64_t value = 0;
    int k;
    for (k = 7; k >= 0; --k) {
        value = value << 8 | (uint8_t)from[k];
    }
    return value;
}

static void put(int8_t *to, uint64_t value)
{
    int k;
    for (k = 0; k < 5; ++k) {
        to[k] = (int8_t)(uint8_t)(value >> 8 * k);
    }
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    const uint64_t a = word(input);
    const uint64_t b = word(input + 8) >> (input[16] & 63) | 1;
    const uint32_t c = (uint32_t)a;
    const uint32_t d = (uint32_t)b;
    const int32_t e = (int32_t)c;
    const int32_t f = (int32_t)d;
    const uint64_t results[] = {
        a * b, a / b, a % b, (uint64_t)((int64_t)a / (int64_t)b), (uint64_t)((int64_t)a % (int64_t)b),
        (uint64_t)c * d, (uint64_t)((int64_t)e * f), c / d, c % d, (uint64_t)(e / f), (uint64_t)(e % f),
    };
    const int at = (input[17] & 127) % 11;
    int k;
    (void)arena;
    for (k = 0; k < 6; ++k) {
        put(output + 5 * k, results[(at + k) % 11]);
    }
    TINYC_TRACE(0, 0, output, 30);
}
"""


def truncated(a: int, b: int) -> tuple[int, int]:
    """Quotient and rest as in C: rounded towards zero."""
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient, a - quotient * b


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def test_the_arithmetic_that_the_compiler_may_lack(name: str) -> None:
    """Products, quotients and rests of 32 and 64 bits, of numbers of all sizes, against Python's."""
    rng = np.random.default_rng(6)
    inputs = [[rng.integers(-128, 128, (1, 5, 3, 2), np.int8)] for _ in range(3000)]
    for (image,) in inputs[:600]:  # extremes: bytes of all zeros or all ones
        image.reshape(-1)[:16] = rng.choice(np.array([-128, -1, 0, 1, 127], np.int8), 16)
    results = simulator(network("argument", ARITHMETIC), name, flags=()).run(inputs)
    for (image,), (got,) in zip(inputs, results, strict=True):
        data = image.tobytes()
        a = int.from_bytes(data[:8], "little")
        b = int.from_bytes(data[8:16], "little") >> (data[16] & 63) | 1
        c, d = a & 0xFFFFFFFF, b & 0xFFFFFFFF
        e, f = signed(c, 32), signed(d, 32)
        wide = truncated(signed(a, 64), signed(b, 64))
        expected = [a * b, a // b, a % b, *wide, c * d, e * f, c // d, c % d, *truncated(e, f)]
        at = (data[17] & 127) % 11
        for k in range(6):
            which = (at + k) % 11
            want = (expected[which] & (2**40 - 1)).to_bytes(5, "little")
            assert got.tobytes()[5 * k : 5 * k + 5] == want, (which, a, b)


def test_faults_end_the_program_and_say_where(name: str) -> None:
    source = network("argument", exact('__asm__ volatile("ill");'))
    with pytest.raises(RunnerError, match=r"exit status 1\nXtensa exception, cause 00000000, at 5000"):
        simulator(source, name).run(images(1))


def test_a_program_that_does_not_end_is_stopped(name: str) -> None:
    endless = network("argument", exact('for (;;) { __asm__ volatile(""); }'))
    with pytest.raises(RunnerError, match="did not end within 1 seconds"):
        SimulatorRunner(endless, MACHINES[name], timeout=1.0).run(images(1))


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool) as raised:
        runner_for(network(), LX106)
    for package in ("gcc-xtensa-lx106", "picolibc-xtensa-lx106-elf", "qemu-system-misc"):
        assert package in str(raised.value)
