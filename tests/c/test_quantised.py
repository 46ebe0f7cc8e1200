"""Integer operators in C: bit for bit what the interpreter computes."""

from __future__ import annotations

import itertools
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.c.quantised import CORNERS, INT32_MAX, Maker, grow
from tests.c.support import BUILDS, PARAMETERS, SANITIZE, STRICT, lowered
from tests.c.test_spatial import GEOMETRIES
from tests.generate import OPERATORS, samples
from tests.sampling import some
from tinyc.backends.c import generate
from tinyc.backends.c.describe import sentence
from tinyc.backends.c.library import FOLDER
from tinyc.backends.c.source import CodegenError
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import Builder, DType, IRError, TensorType, Value, fixed_point, ops
from tinyc.ir.op import fields_of
from tinyc.ir.ops.recurrent import Steps
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array


def compare(maker: Maker, outputs: list[Value], cc: str, flags: tuple[str, ...]) -> tuple[RowProgram, list[Array]]:
    """Asserts that all outputs of the C are those of the interpreter, which it returns."""
    program = lowered(maker.builder.build(outputs))
    (got,) = HostRunner(generate(program, name="cases"), cc=cc, flags=flags).run([maker.arrays])
    want = run_program(program, maker.arrays)
    wrong = [
        f"{value}: {np.count_nonzero(g != w)} of {w.size} differ"
        for value, g, w in zip(outputs, got, want, strict=True)
        if not np.array_equal(g, w)
    ]
    assert not wrong, "\n".join(wrong)
    return program, want


def geometries(maker: Maker, kernels: list[tuple[int, int]], depthwise: bool) -> list[Value]:
    """A layer for each kernel and geometry, sizes, channels and arithmetic in turn."""
    sizes = [(7, 6), (4, 9), (5, 1), (2, 13), (3, 2)]
    channels = [(1, 8, 1), (3, 5, 1), (4, 4, 1), (8, 7, 1), (4, 6, 2), (6, 6, 3), (6, 6, 6), (2, 1, 1), (5, 12, 1)]
    found: list[Value] = []
    for k, (kernel, (strides, pads, dilations)) in enumerate(itertools.product(kernels, GEOMETRIES)):
        inputs, outputs, groups = channels[k % len(channels)]
        attributes = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
        # A geometry meets another size with each kernel.
        turn = k + k // len(GEOMETRIES)
        x = maker.input((1, *sizes[turn % len(sizes)], inputs))
        corner = CORNERS[k % len(CORNERS)]
        try:
            if depthwise:
                each = 1 if kernel == (3, 3) and turn % 5 else 1 + k % 3
                found.append(maker.depthwise(x, corner, each=each, **attributes))
            else:
                found.append(maker.conv(x, corner, outputs=outputs, groups=groups, **attributes))
        except IRError:
            # The window is larger than the operand.
            found.append(maker.lookup(x))
    return found


def conv_cases(maker: Maker) -> list[Value]:
    return geometries(maker, [(1, 1), (3, 3), (2, 3), (1, 3), (5, 5)], depthwise=False)


def depthwise_cases(maker: Maker) -> list[Value]:
    return geometries(maker, [(3, 3), (3, 3), (3, 3), (1, 1), (2, 3), (5, 5)], depthwise=True)


def depthwise3x3_cases(maker: Maker) -> list[Value]:
    """The 3x3 kernels unroll their rows and end them by hand: all columns of padding, even and odd widths."""
    found = []
    for stride, left, right, width in itertools.product([1, 2], [0, 1, 2], [0, 1, 2], [1, 2, 5, 6]):
        if width + left + right >= 3 and left <= 3 - stride:
            geometry = {"strides": (1, stride), "pads": (1, left, 1, right), "dilations": (1, 1)}
            x = maker.input((1, 2, width, 2))
            found.append(maker.depthwise(x, "ordinary", kernel=(3, 3), each=1, **geometry, min=-128, max=127))
    return found


def dense_cases(maker: Maker) -> list[Value]:
    """All remainders of the register tiles: outputs, pixels and inputs modulo four."""
    found = []
    for k, (outputs, pixels) in enumerate(itertools.product([1, 2, 3, 4, 5, 8], [1, 2, 3, 4, 7, 9])):
        inputs = 1 + 5 * k % 23
        shape = [(pixels, inputs), (1, 1, pixels, inputs), (1, pixels, 2, inputs)][k % 3]
        found.append(maker.dense(maker.input(shape), CORNERS[k % len(CORNERS)], outputs))
        if len(shape) == 4:
            found.append(maker.pointwise(maker.input(shape)))
    found.append(maker.dense(maker.input((1, 4000)), "ordinary"))
    return found


def value_cases(maker: Maker) -> list[Value]:
    found = []
    for k in range(24):
        shape = [(1, 5, 4, 6), (1, 1, 1, 3), (1, 3, 7, 1), (1, 6, 2, 5)][k % 4]
        x, y = maker.input(shape), maker.input(shape)
        found += [maker.sum(x, y), maker.sum(x, x), maker.product(x, y), maker.lookup(x), maker.mean(x)]
        found += [maker.product(x, maker.input((1, 1, 1, shape[3])))]
        flat = maker.input([(1, 10), (3, 4, 5), (1, 2, 3, 7), (20,), (1, 1)][k % 5])
        found += [maker.softmax(flat), maker.lookup(flat), maker.product(flat, flat), maker.sum(flat, flat)]
        found.append(maker.product(flat, maker.input(flat.shape[-1:])))
    batches = maker.input((3, 2, 5, 4))
    return [*found, maker.mean(batches), maker.softmax(maker.input((1, fixed_point.SOFTMAX_LARGEST)))]


def pool_cases(maker: Maker) -> list[Value]:
    found = []
    for kernel, (strides, pads, dilations) in itertools.product([(2, 2), (3, 3), (1, 1), (2, 3), (5, 5)], GEOMETRIES):
        for size in [(7, 6), (4, 9)]:
            x = maker.input((1, *size, 3))
            try:
                found.append(maker.pool(x, kernel=kernel, strides=strides, pads=pads, dilations=dilations))
            except IRError:
                found.append(maker.lookup(x))
    return found


GROUPS = {
    "conv": conv_cases,
    "depthwise": depthwise_cases,
    "depthwise3x3": depthwise3x3_cases,
    "dense": dense_cases,
    "values": value_cases,
    "pool": pool_cases,
}


@pytest.mark.parametrize("build", PARAMETERS)
@pytest.mark.parametrize("group", GROUPS)
def test_corners(group: str, build: str) -> None:
    maker = Maker(np.random.default_rng(list(GROUPS).index(group)))
    outputs = GROUPS[group](maker)
    kinds = Counter(maker.builder.node(v).op.mnemonic for v in outputs)  # type: ignore[union-attr]
    assert sum(kinds.values()) - kinds["lookup"] * (group != "values") >= 30
    cc, flags = BUILDS[build]
    compare(maker, outputs, cc, flags)


SEEDS, GRAPHS = 10, 1000
BATCH = 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", some(range(SEEDS), 1))
def test_ten_thousand_random_graphs(seed: int) -> None:
    """Graphs of up to five operators, some with every value an output and most with the last one alone, so that values
    lie over one another in the arena."""
    assert SEEDS * GRAPHS == 10_000
    # Unoptimised and without inlining, a function compiles in a millisecond; test_corners has the other builds.
    flags = ("-O0", "-DTINYC_INLINE=static inline", *STRICT, "-fsanitize=undefined", "-fno-sanitize-recover=all")
    seen, varied = Counter[str](), Counter[str]()
    checked = over = 0
    for batch in range(GRAPHS // BATCH):
        maker = Maker(np.random.default_rng([seed, batch]))
        outputs: list[Value] = []
        for _ in range(BATCH):
            values = grow(maker, int(maker.rng.integers(1, 6)))
            outputs += values[1:] if maker.rng.random() < 0.3 else values[-1:]
            checked += 1
        program, want = compare(maker, outputs, "clang", flags)
        seen.update(stage.op.mnemonic for stage in program.stages)
        for value, array in zip(outputs, want, strict=True):
            node = maker.builder.node(value)
            assert node is not None
            varied[node.op.mnemonic] += len(np.unique(array)) > 1
        over += sum(s.op.may_overwrite(0) and program.buffer[s.result.name].view is not None for s in program.stages)
    assert checked == GRAPHS
    assert over > 50
    # Every operator is there often, and it is not all saturated. Recurrent layers take sequences: test_recurrent.py.
    images = [name for name, kind in ops.registry().items() if not issubclass(kind, Steps)]
    for kind in (name for name in images if (name.startswith("q") and name != "quantize") or name == "lookup"):
        assert seen[kind] > 50, kind
        assert varied[kind] > 20, kind


def test_results_lie_over_operands() -> None:
    maker = Maker(np.random.default_rng(3))
    x = maker.input((1, 6, 5, 8))
    plain = {"kernel": (1, 1), "strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1)}
    value = maker.conv(x, "ordinary", groups=1, outputs=8, **plain)
    factor = maker.mean(value)
    chain = [maker.lookup(value)]
    chain.append(maker.product(chain[-1], factor))
    chain.append(maker.sum(chain[-1], maker.pool(x, **plain)))
    chain.append(maker.softmax(chain[-1]))
    last = maker.mean(chain[-1])
    program = lowered(maker.builder.build([last]))
    roots = {program.root(v.name)[0].name for v in (value, *chain)}
    assert roots == {value.name}, "each is written over the one before"
    watched: dict[int, Array] = {}
    run_program(program, maker.arrays, lambda number, array: watched.update({number: array}))
    traced = HostRunner(generate(program, name="chain"), flags=(*STRICT, *SANITIZE)).trace(maker.arrays)
    assert traced.keys() == watched.keys()
    for number, array in watched.items():
        np.testing.assert_array_equal(traced[number], array)


ARITHMETIC = """
#include <stdio.h>
#include <stdlib.h>
#include "narrow_i8.h"
#include "exp_of_negative_i32.h"
#include "reciprocal_i32.h"

int main(void)
{
    int32_t v[7];
    while (fread(v, sizeof v, 1, stdin) == 1) {
        int32_t r = 0;
        switch (v[0]) {
        case 0: r = tinyc_requantise_i32(v[1], v[2], (int)v[3]); break;
        case 1: r = tinyc_narrow_i8(v[1], v[2], (int)v[3], v[4], v[5], v[6], 1); break;
        case 2: r = tinyc_narrow_i8(v[1], v[2], (int)v[3], v[4], v[5], v[6], 0); break;
        case 5: r = tinyc_narrow_i8(v[1], v[2] * 4, 0, v[4], v[5], v[6], 2); break;
        case 3: r = tinyc_exp_of_negative_i32(v[1], v[1] & 1); break;
        default: r = tinyc_reciprocal_i32((uint32_t)v[1] + 0x80000000U, v[1] & 1); break;
        }
        fwrite(&r, sizeof r, 1, stdout);
    }
    return 0;
}
"""


def corner_sums(rng: np.random.Generator, count: int, most: int) -> Array:
    """Numbers of all sizes up to `most`, powers of two and their neighbours often among them."""
    size = np.minimum(2.0 ** rng.uniform(0, np.log2(most), count), most)
    power = 2.0 ** rng.integers(0, int(np.log2(most)) + 1, count) + rng.integers(-2, 3, count)
    picked = np.where(rng.random(count) < 0.5, size, power) * rng.choice([-1, 1], count)
    return np.clip(picked.astype(np.int64), -most, most)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_arithmetic(compiler: str, tmp_path: Path) -> None:
    """The functions of the kernels themselves, on numbers that no layer reaches easily."""
    rng = np.random.default_rng(4)
    n = 200_000
    multiplier = np.where(
        rng.random(n) < 0.2,
        rng.choice([0, 1, 2**30, 2**30 + 1, INT32_MAX], n),
        rng.integers(2**30, 2**31, n),
    )
    shift = rng.integers(-31, 31, n)
    shifted = corner_sums(rng, n, INT32_MAX - 128)
    x = np.sign(shifted) * (np.abs(shifted) >> np.maximum(shift, 0))
    zero, high = (rng.integers(-128, 128, n) for _ in range(2))
    low = np.minimum(np.where(rng.random(n) < 0.5, zero, rng.integers(-128, 128, n)), high)
    small = corner_sums(rng, n, 2**29 - 1)
    right = rng.integers(-21, 0, n)
    negative = np.maximum(corner_sums(rng, n, 2**31 - 1) - 1, -(2**31))
    negative = np.where(negative > 0, -negative, negative)
    fraction = np.abs(corner_sums(rng, n, INT32_MAX))
    fraction[:2] = 0, INT32_MAX
    nothing = np.zeros(n, np.int64)
    # Sums as large as layers are let through, and of the size for which multipliers of shift 0 are made.
    once = np.where(rng.random(n) < 0.5, corner_sums(rng, n, INT32_MAX - 128), corner_sums(rng, n, 2**24))
    plain = np.where(rng.random(n) < 0.2, rng.choice([0, 1, 2, 2**28, 2**29 - 1], n), rng.integers(0, 2**29, n))

    def narrowed(total: Array, places: Array, factor: Array = multiplier) -> Array:
        return np.clip(fixed_point.requantise(total, factor, places) + zero, low, high)

    rows = [
        (0, x, multiplier, shift, nothing, nothing, nothing),
        (1, small, multiplier, right, zero, low, high),
        (2, x, multiplier, shift, zero, low, high),
        (3, negative, nothing, nothing, nothing, nothing, nothing),
        (4, fraction, nothing, nothing, nothing, nothing, nothing),
        (5, once, plain, nothing, zero, low, high),
    ]
    want = [
        fixed_point.requantise(x, multiplier, shift),
        narrowed(small, right),
        narrowed(x, shift),
        fixed_point.exp_of_negative(negative),
        fixed_point.one_over_one_plus(fraction),
        narrowed(once, nothing, plain),
    ]
    (tmp_path / "main.c").write_text(ARITHMETIC)
    flags = ["-std=c99", "-O2", *STRICT, "-fsanitize=undefined", "-fno-sanitize-recover=all", f"-I{FOLDER}"]
    subprocess.run([compiler, *flags, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    table = np.concatenate([np.stack([np.full(n, row[0]), *row[1:]], axis=1) for row in rows]).astype("<i4")
    result = subprocess.run([str(tmp_path / "main")], input=table.tobytes(), capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    got = np.frombuffer(result.stdout, "<i4").reshape(len(rows), n)
    for row, expected, found in zip(rows, want, got, strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=f"function {row[0]}")


def dense(w: Array, b: Array, multiplier: list[int], shift: list[int], **attributes: int) -> RowProgram:
    builder = Builder("dense")
    x = builder.input("x", TensorType((1, w.shape[1]), DType.I8))
    factors = [builder.constant(np.array(v, np.int32), name) for v, name in ((multiplier, "m"), (shift, "s"))]
    op = ops.QDense(x, builder.constant(w, "w"), builder.constant(b, "b"), *factors, **attributes)
    return lowered(builder.build([builder.add(op, "y", "fc")]))


def test_sums_that_may_overflow_are_refused() -> None:
    w = np.full((2, 3), 100, np.int8)
    b = np.array([0, INT32_MAX - 128 - 3 * 12700], np.int32)
    generate(dense(w, b, [2**30] * 2, [-31, -31]), name="fits")
    with pytest.raises(CodegenError, match=r"qdense %y \(from fc\): sums of output channel 1 .* may overflow int32"):
        generate(dense(w, b + 1, [2**30] * 2, [-31, -31]), name="over")
    with pytest.raises(CodegenError, match=r"sums of output channel 0 .up to 38400, shifted left by 16. may overflow"):
        generate(dense(w, b * 0, [2**30] * 2, [16, 15]), name="over")
    with pytest.raises(CodegenError, match="multipliers are not negative and shifts are -31 to 30"):
        generate(dense(w, b * 0, [2**30] * 2, [-31, -32]), name="far")


def test_computed_weights_are_refused() -> None:
    builder = Builder("computed")
    x, w = (builder.input(name, TensorType((1, 4), DType.I8)) for name in "xw")
    rest = [builder.constant(np.zeros(1, np.int32)) for _ in range(3)]
    program = lowered(builder.build([builder.add(ops.QDense(x, w, *rest), "y")]))
    with pytest.raises(CodegenError, match="%w is computed"):
        generate(program, name="computed")


def test_flash() -> None:
    """A weight is a byte, and an output channel another nine: bias, multiplier and shift."""
    rng = np.random.default_rng(5)
    w, b = rng.integers(-128, 128, (7, 30), dtype=np.int8), np.arange(7, dtype=np.int32)
    source = generate(dense(w, b, [2**30 + k for k in range(7)], [-9, -8] * 3 + [-7]), name="net")
    assert source.weights_bytes == 7 * 30 + 7 * 9


def test_comments() -> None:
    w, b = np.ones((1, 2), np.int8), np.zeros(1, np.int32)
    texts = {
        "relu": dense(w, b, [2**30], [-9], out_zero=-7, min=-7),
        "limits -128 to 100": dense(w, b, [2**30], [-9], out_zero=-128, max=100),
        "": dense(w, b, [2**30], [-9], out_zero=3),
    }
    for text, program in texts.items():
        assert sentence(0, program.stages[0]) == f'0 qdense "fc": 2 -> 1, {text + ", " if text else ""}2 MACs'


def test_a_relu_ends_at_the_zero_point_of_whatever_operator_has_one() -> None:
    said = set()
    for kind in OPERATORS:
        names = {f.name for f in fields_of(kind)}
        for s in samples(kind, 4):
            zero = s.op.zero_point()
            assert zero == (s.op.out_zero if "out_zero" in names else None)  # type: ignore[attr-defined]
            if zero is not None:
                op = s.op.limited(zero, s.op.type.dtype.limits[1])
                assert ", relu" in sentence(0, Stage(Value("y", op.type), op)), op
                said.add(kind)
    layers = {ops.QConv2d, ops.QDepthwiseConv2d, ops.QDense, ops.QMatMul}
    others = {ops.QMean, ops.QAdd, ops.QMul, ops.QDiv, ops.QSum, ops.QCumSum, ops.QNorm, ops.QPRelu, ops.Requantise}
    assert said == layers | others
