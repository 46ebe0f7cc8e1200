"""Deliberately broken passes are caught, by name, by comparing the meaning before and after."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.helpers import model
from tests.passes.stream.brute_force import Tagged
from tests.passes.stream.support import random_division
from tinyc.backends.interpreter import observe
from tinyc.compiler.data.samples import sample_inputs
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import Builder, DType, Module, TensorType
from tinyc.ir.module import Node
from tinyc.ir.ops import AvgPool2d, BatchNorm, Conv2d, DepthwiseConv2d, MaxPool2d, Pad
from tinyc.ir.rows import Pace, RowProgram
from tinyc.ir.rows.lives import lives
from tinyc.ir.tensor import Array
from tinyc.passes import Pass, PassManager, PassVerificationError, Replaced, RowPass, Slack, rewrite
from tinyc.passes.core.base import AnyPass
from tinyc.passes.core.manager import CompareMeaning, ReplayRows, VerifyTypes
from tinyc.passes.pipeline import default_pipeline, integer_passes, row_passes, tensor_passes
from tinyc.passes.rows.plan import PlanArena, distances
from tinyc.passes.stream import Stream
from tinyc.passes.stream.piece import apply
from tinyc.passes.tensor.fold_batch_norm import FoldBatchNorm

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
        # Layer by layer: within a segment buffers take turns with the same bytes, which are never dead for long.
        run_pipeline([p for p in swap("plan-arena", ShortLiveness(buffer)) if p.name != "stream-rows"], module)


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


MODELS = [
    "mobile_lenet",
    "mlperf_vww96_mbv1_025_tflite2onnx",
    "st_mbv2_128_05",
    "mnist_cnn_keras2onnx_a",
    "traffic_sign_small_tf2onnx",
    "micro_kws_m_fp32",
]
QUANTISED = "micro_kws_m_qdq"
"""Its softmax saturates, so that its outputs alone show nothing."""
MANY = 4
"""Places in a model where each mistake is made, at most; in the slow tests it is made in all."""


@dataclasses.dataclass(frozen=True)
class ShortRing(RowPass, name="broken-short-ring"):
    """Leaves one ring without one of its rows. A single row is never too many."""

    number: int = 0

    @staticmethod
    def places(program: RowProgram) -> int:
        """How many rings there are to shorten."""
        return sum(b.ring > 1 for b in program.buffers)

    def run(self, program: RowProgram) -> RowProgram:
        chosen = [b for b in program.buffers if b.ring > 1][self.number]
        fewer = dataclasses.replace(chosen, ring=chosen.ring - 1)
        return dataclasses.replace(program, buffers=tuple(fewer if b is chosen else b for b in program.buffers))


@dataclasses.dataclass(frozen=True)
class EarlyRow(RowPass, name="broken-early-row"):
    """Has one stage of a segment compute its rows one sweep too early, or too often."""

    number: int = 0

    @staticmethod
    def earlier(program: RowProgram) -> Iterator[tuple[int, int, Pace]]:
        """Segment, place in it, and a pace that is too early."""
        for number, segment in enumerate(program.segments):
            for place, (stage, pace) in enumerate(zip(segment.stages, segment.paces, strict=True)):
                if segment.streams and pace.delay:
                    yield number, place, dataclasses.replace(pace, delay=pace.delay - 1)
                # The only row of a stage has no period.
                if segment.streams and pace.period > 1 and program.stages[stage].applications > 1:
                    yield number, place, dataclasses.replace(pace, period=pace.period - 1)

    def moves(self, program: RowProgram) -> bool:
        """Whether that stage moves rows: one that it moves too early may be just the one that is read there next."""
        number, place, _ = list(self.earlier(program))[self.number]
        return program.stages[program.segments[number].stages[place]].copies_rows

    @staticmethod
    def places(program: RowProgram) -> int:
        """How many paces there are to change."""
        return len(list(EarlyRow.earlier(program)))

    def run(self, program: RowProgram) -> RowProgram:
        number, place, pace = list(self.earlier(program))[self.number]
        segment = program.segments[number]
        paces = (*segment.paces[:place], pace, *segment.paces[place + 1 :])
        changed = dataclasses.replace(segment, paces=paces)
        return dataclasses.replace(
            program, segments=(*program.segments[:number], changed, *program.segments[number + 1 :])
        )


@dataclasses.dataclass(frozen=True)
class TooClose(RowPass, name="broken-distance"):
    """Moves one buffer by one element towards another one, or further over it, that it lies as close to as may be."""

    number: int = 0

    @staticmethod
    def moves(program: RowProgram) -> list[tuple[str, int]]:
        """Which buffers can be moved, by how many bytes: those first that lie over others."""
        assert program.plan is not None
        slots, found = program.plan.by_buffer, []
        for apart in distances(lives(program)):
            first, second = slots[apart.first], slots[apart.second]
            distance = second.offset - first.offset
            element = max(program.buffer[n].value.dtype.bytes for n in (apart.first, apart.second))
            if distance in (apart.below, apart.above):
                over = first.offset < second.offset + second.bytes and second.offset < first.offset + first.bytes
                found.append((not over, second.buffer, -element if distance == apart.above else element))
        return [(name, by) for _, name, by in sorted(found, key=lambda f: f[0])]

    @staticmethod
    def places(program: RowProgram) -> int:
        """How many such pairs there are."""
        return len(TooClose.moves(program))

    def run(self, program: RowProgram) -> RowProgram:
        assert program.plan is not None
        name, by = self.moves(program)[self.number]
        slots = tuple(
            dataclasses.replace(s, offset=s.offset + by) if s.buffer == name else s for s in program.plan.slots
        )
        size = max(program.plan.bytes, *(s.offset + s.bytes for s in slots))
        return dataclasses.replace(program, plan=dataclasses.replace(program.plan, slots=slots, bytes=size))


@cache
def unscheduled(name: str) -> tuple[RowProgram, Sequence[Sequence[Array]]]:
    """A model's program before its rows are scheduled, and what to run it on."""
    module = load_onnx(MODEL if name == "mobile_lenet" else model(f"{name}.onnx")).module
    before = [p for p in row_passes() if p.name not in ("stream-rows", "plan-arena")]
    program, _ = PassManager([*tensor_passes(), *integer_passes(), *before]).run(module)
    assert isinstance(program, RowProgram)
    return program, sample_inputs(module)


@cache
def scheduled(name: str) -> RowProgram:
    return Stream().run(unscheduled(name)[0])


def caught(step: RowPass, program: RowProgram, comparing: CompareMeaning | None = None) -> bool:
    """Whether verification stops at a pass that is wrong, and names it: by the numbers, or else without any, by the
    replay of the schedule."""
    instruments = [VerifyTypes(), comparing or ReplayRows()]
    try:
        PassManager([step], instruments).run(program)
    except PassVerificationError as error:
        return error.step == step.name
    return False


def is_wrong(program: RowProgram) -> bool:
    """Whether a step reads what another one has written over, by an account that goes by no numbers."""
    return bool(Tagged(program).run())


@pytest.mark.parametrize("wrong", [ShortRing, EarlyRow])
@pytest.mark.parametrize("name", [*MODELS, QUANTISED])
def test_a_schedule_that_reads_the_wrong_rows_is_caught(name: str, wrong: type[ShortRing] | type[EarlyRow]) -> None:
    comparing = CompareMeaning(observe, unscheduled(name)[1][:1])
    for program in (scheduled(name), PlanArena().run(scheduled(name))):
        count = wrong.places(program)
        assert count
        for number in range(min(count, MANY)):
            step = wrong(number)
            assert is_wrong(step.run(program)), step
            assert caught(step, program), step
            if not isinstance(step, EarlyRow) or not step.moves(program):
                assert caught(step, program, comparing), step


def caught_moves(program: RowProgram, name: str, most: int) -> tuple[int, int]:
    """How many moves of a buffer are wrong, and how many of these are caught by the numbers. The replay catches all."""
    planned = PlanArena().run(program)
    assert planned.plan is not None
    comparing = CompareMeaning(observe, unscheduled(name)[1])
    # Two buffers may be as near to a third one, from which one move leads to both.
    moves = {move: k for k, move in enumerate(TooClose.moves(planned))}
    inside = [k for (b, by), k in moves.items() if planned.plan.by_buffer[b].offset + by >= 0]
    tried = [TooClose(k) for k in inside[:most]]
    # A ring counts as full all the time, so that now and then it could lie closer to another buffer than it may.
    wrong = [step for step in tried if is_wrong(step.run(planned))]
    assert len(wrong) > len(tried) // 2
    assert all(caught(step, planned) for step in wrong)
    return len(wrong), sum(caught(step, planned, comparing) for step in wrong)


@pytest.mark.parametrize("name", MODELS)
def test_buffers_that_lie_too_close_are_caught(name: str) -> None:
    tried, found = caught_moves(scheduled(name), name, MANY)
    assert tried > 1
    # One element is written over another one. After a relu either may well be zero, and then nothing has changed.
    assert found >= tried - 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["mobile_lenet", "mnist_cnn_keras2onnx_a", "micro_kws_m_fp32"])
def test_mistakes_in_random_schedules_are_caught(name: str, seed: int) -> None:
    program, samples = unscheduled(name)
    program = apply(program, random_division(Random(seed), program, 8))
    comparing = CompareMeaning(observe, samples)
    kinds: list[type[ShortRing] | type[EarlyRow]] = [ShortRing, EarlyRow]
    for wrong in kinds:
        for number in range(wrong.places(program)):
            step = wrong(number)
            assert is_wrong(step.run(program)), step
            if not isinstance(step, EarlyRow) or not step.moves(program):
                assert caught(step, program, comparing), step
    tried, found = caught_moves(program, name, 1000)
    assert found > tried // 2
