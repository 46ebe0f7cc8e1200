"""Random typed modules through everything: the text form, both interpreters, and the C."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from tests.generate import random_inputs, random_module
from tests.helpers import assert_close
from tests.sampling import some
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_module, run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import Module
from tinyc.ir.ops import Constant, QConvolution, QDense
from tinyc.ir.rows import RowProgram
from tinyc.ir.text import format_module
from tinyc.ir.text.parser import parse_module
from tinyc.passes.core.manager import PassManager
from tinyc.passes.pipeline import default_pipeline
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.share import ShareBuffers
from tinyc.passes.tensor.fold_batch_norm import FoldBatchNorm


def with_kernels(seeds: range) -> Iterator[tuple[int, Module]]:
    """Random modules whose operators all have kernels; batch norms are folded or decomposed before."""
    used = 0
    for seed in seeds:
        module = FoldBatchNorm().run(random_module(Random(seed), size=10, smooth=True))
        if not any(n.op.unrunnable() for n in module.nodes):
            used += 1
            yield seed, module
    assert used


def takes_weights(module: Module) -> bool:
    constants = {n.result for n in module.nodes if isinstance(n.op, Constant)}
    return any(n.op.w not in constants for n in module.nodes if isinstance(n.op, QConvolution | QDense))


def lowered(module: Module) -> RowProgram:
    return PlanArena().run(ShareBuffers().run(Lower().run(module)))


@pytest.mark.parametrize("block", range(8))
def test_the_text_form_keeps_everything(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        module = random_module(Random(seed), size=12)
        printed = format_module(module)
        assert parse_module(printed.text, printed.data) == module, seed


@pytest.mark.parametrize("block", range(8))
def test_rows_on_the_planned_arena_agree_with_tensors(block: int) -> None:
    for seed, module in with_kernels(range(block * 25, block * 25 + 25)):
        inputs = random_inputs(Random(seed), module, calm=True)
        # The slack of the lowering: a float64 sum rounded once may be rounded otherwise.
        assert_close(run_module(module, inputs), run_program(lowered(module), inputs), 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("block", some(range(8), 3))
def test_the_c_agrees_with_the_interpreter(block: int) -> None:
    for seed, module in with_kernels(range(block * 8, block * 8 + 8)):
        if takes_weights(module):
            continue  # The C backend refuses integer layers whose weights are no constants.
        inputs = random_inputs(Random(seed), module, calm=True)
        for program in (lowered(module), PassManager(default_pipeline()).run(module)[0]):
            assert isinstance(program, RowProgram)
            expected = run_program(program, inputs)
            (own,) = HostRunner(generate(program, name=f"net{seed}")).run([inputs])
            # float32 sums in place of float64 ones, through up to ten layers, relative to the largest element.
            assert_close(expected, own, 1e-4, scale=1e-3)
            for a, b in zip(expected, own, strict=True):
                assert np.array_equal(np.isnan(a), np.isnan(b)) if a.dtype.kind == "f" else True, seed
