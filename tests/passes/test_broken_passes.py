"""Deliberately broken passes are caught, by name, by comparing the meaning before and after."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tinyc.backends.interpreter import observe
from tinyc.compiler.frontend import load_onnx
from tinyc.compiler.samples import sample_inputs
from tinyc.ir import Builder, DType, Module, TensorType
from tinyc.ir.module import Node
from tinyc.ir.ops import AvgPool2d, BatchNorm, Conv2d, DepthwiseConv2d, MaxPool2d, Pad
from tinyc.ir.rows import RowProgram
from tinyc.passes import Pass, PassManager, PassVerificationError, Replaced, RowPass, Slack, rewrite
from tinyc.passes.base import AnyPass
from tinyc.passes.fold_batch_norm import FoldBatchNorm
from tinyc.passes.manager import CompareMeaning, VerifyTypes
from tinyc.passes.pipeline import default_pipeline
from tinyc.passes.plan import PlanArena

MODEL = Path(__file__).resolve().parents[2] / "examples" / "mobile_lenet" / "mobile_lenet.onnx"


@dataclasses.dataclass(frozen=True)
class WrongEpsilon(Pass, name="broken-batch-norm-epsilon"):
    """Folds batch norms as if every epsilon were 1e-5."""

    slack = FoldBatchNorm.slack

    def run(self, module: Module) -> Module:
        def forget(node: Node, _: object) -> Replaced | None:
            wrong = isinstance(node.op, BatchNorm) and node.op.epsilon != 1e-5
            return Replaced(dataclasses.replace(node.op, epsilon=1e-5)) if wrong else None  # type: ignore[call-arg]

        return FoldBatchNorm().run(rewrite(module, [forget]))


@dataclasses.dataclass(frozen=True)
class ShortLiveness(RowPass, name="broken-short-liveness"):
    """Plans the arena as if one buffer died a stage before its last use."""

    buffer: int = 0

    def run(self, program: RowProgram) -> RowProgram:
        planned = PlanArena().run(program)
        assert planned.plan is not None
        long_lived = [n for n, s in enumerate(planned.plan.slots) if s.last > s.first]
        chosen = long_lived[self.buffer % len(long_lived)]
        slots = tuple(
            dataclasses.replace(s, last=s.last - 1) if n == chosen else s for n, s in enumerate(planned.plan.slots)
        )
        return dataclasses.replace(planned, plan=dataclasses.replace(planned.plan, slots=slots))


@dataclasses.dataclass(frozen=True)
class CarelessPad(Pass, name="broken-pad-fusion"):
    """Absorbs every pad into the pooling or convolution after it, whatever the pad's value."""

    slack = Slack(1e-6, "as the real one, were there one")

    def run(self, module: Module) -> Module:
        def absorb(node: Node, rewriter: object) -> Replaced | None:
            producer = rewriter.producer(node.op.operands[0]) if node.op.operands else None  # type: ignore[attr-defined]
            fits = isinstance(node.op, (Conv2d, DepthwiseConv2d, MaxPool2d, AvgPool2d)) and not any(node.op.pads)
            if not fits or producer is None or not isinstance(producer.op, Pad):
                return None
            pad = producer.op
            pads = (pad.before[1], pad.before[2], pad.after[1], pad.after[2])
            return Replaced(dataclasses.replace(node.op, x=pad.x, pads=pads))  # type: ignore[call-arg]

        return rewrite(module, [absorb])


def swap(name: str, broken: AnyPass) -> list[AnyPass]:
    """The default pipeline with every pass of one name replaced."""
    pipeline = default_pipeline()
    assert name in [p.name for p in pipeline]
    return [broken if p.name == name else p for p in pipeline]


def run_pipeline(passes: list[AnyPass], module: Module) -> None:
    instruments = [VerifyTypes(), CompareMeaning(observe, sample_inputs(module))]
    PassManager(passes, instruments).run(module)


def test_a_wrong_batch_norm_epsilon_is_caught() -> None:
    module = load_onnx(MODEL).module
    with pytest.raises(PassVerificationError, match="pass broken-batch-norm-epsilon: changed the meaning") as caught:
        run_pipeline(swap("fold-batch-norm", WrongEpsilon()), module)
    assert caught.value.step == "broken-batch-norm-epsilon"


@pytest.mark.parametrize("buffer", range(6))
def test_a_liveness_range_cut_short_is_caught(buffer: int) -> None:
    module = load_onnx(MODEL).module
    with pytest.raises(PassVerificationError, match="pass broken-short-liveness: changed the meaning"):
        run_pipeline(swap("plan-arena", ShortLiveness(buffer)), module)


@pytest.mark.parametrize("consumer", ["conv", "max_pool", "avg_pool"])
def test_a_pad_that_must_not_be_fused_is_caught(consumer: str) -> None:
    b = Builder("net")
    x = b.input("x", TensorType((1, 6, 6, 2), DType.F32))
    padded = b.add(Pad(x, (0, 1, 1, 0), (0, 1, 1, 0), value=0.5))
    w = b.constant(np.ones((3, 3, 3, 2), np.float32))
    ops = {"conv": Conv2d(padded, w), "max_pool": MaxPool2d(padded, (3, 3)), "avg_pool": AvgPool2d(padded, (3, 3))}
    module = b.build([b.add(ops[consumer])])
    run_pipeline(default_pipeline(), module)
    with pytest.raises(PassVerificationError, match="pass broken-pad-fusion: changed the meaning"):
        run_pipeline(swap("fuse-pad", CarelessPad()), module)


def test_the_pipeline_itself_is_compared_pass_by_pass() -> None:
    module = load_onnx(MODEL).module
    comparing = CompareMeaning(observe, sample_inputs(module))
    _, records = PassManager(default_pipeline(), [VerifyTypes(), comparing]).run(module)
    assert [r.name for r in records] == [p.name for p in default_pipeline()]
    assert all(r.max_abs_error is not None for r in records)
