"""The default pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.kernels import Estimate, KernelLibrary, unknown
from tinyc.passes.core.base import AnyPass, RowPass
from tinyc.passes.integerise import Integerise, UnsignedToSigned
from tinyc.passes.integerise.recurrent import RecurrentToIntegers
from tinyc.passes.rows.lower import InputPlace, Lower, OutputPlace
from tinyc.passes.rows.order import OrderStages
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.share import ShareBuffers
from tinyc.passes.rows.spare import Saves, UseSpareMemory, Wants, nothing, saves_nothing
from tinyc.passes.rows.split import Split
from tinyc.passes.stream import KeepState, Stream
from tinyc.passes.stream.choose_kernels import ChooseKernels
from tinyc.passes.stream.piece import Piece
from tinyc.passes.stream.two_memories import StreamInTwo
from tinyc.passes.tensor.channels_last import ChannelsLast
from tinyc.passes.tensor.eliminate_common import EliminateCommon
from tinyc.passes.tensor.eliminate_dead import EliminateDead
from tinyc.passes.tensor.fold_batch_norm import FoldBatchNorm
from tinyc.passes.tensor.fold_constants import FoldConstants
from tinyc.passes.tensor.fuse_activation import FuseActivation
from tinyc.passes.tensor.fuse_pad import FusePad
from tinyc.passes.tensor.keep_last import ForgetCell, KeepLast
from tinyc.passes.tensor.number_rows import NumberRows
from tinyc.passes.tensor.simplify import Simplify
from tinyc.passes.tensor.specialise import Specialise
from tinyc.passes.tensor.steps_as_rows import StepsAsRows


def tensor_passes() -> list[AnyPass]:
    """The passes over the tensor level, in order."""
    return [
        EliminateDead(),  # what no output needs
        ForgetCell(),  # an LSTM's last cell is seldom needed
        FoldConstants(),  # what no input reaches: shapes, masks, weights an exporter computed
        Simplify(),  # operators that do nothing, pairs that one operator does
        Specialise(),  # matrix products with constants become dense layers, which the layout pass sees through
        ChannelsLast(),  # few or no transposes are left, and operators that fuse are neighbours
        Simplify(),  # what stood between transposes meets
        FusePad(),  # convolutions and poolings pad by themselves, before batch norms look at their padding
        FoldBatchNorm(),  # scales and shifts of channels go into weights
        FuseActivation(),  # limits go into the operator before them
        FusePad(),  # pads that a batch norm or an activation stood behind
        Simplify(),  # what folding and fusing left over
        FoldConstants(),  # permuted and folded constants
        EliminateCommon(),  # equal operators once, equal constants once
    ]


def recurrent_passes() -> list[AnyPass]:
    """The passes that finish the quantisation of a module: a float module they leave alone."""
    return [
        RecurrentToIntegers(),  # dequantize, recurrent layer, quantize become one operator with integer states
    ]


def to_integers() -> list[AnyPass]:
    """The passes from a module with dequantize and quantize to integer operators; a float module they leave alone."""
    return [
        UnsignedToSigned(),  # uint8 as int8, to the bit: what follows is then compared name by name
        Integerise(),  # dequantize, float operator, quantize become one integer operator
    ]


def after_integers() -> list[AnyPass]:
    """The passes over what has become integers."""
    return [
        Simplify(),  # what stood between conversions meets
        FoldConstants(scales=True),  # weights of what stays in float
        EliminateCommon(),  # equal multipliers and tables once
        KeepLast(),  # recurrent layers keep no step that nobody needs
        NumberRows(),  # rows that are taken in even steps, or at the border again, are taken as they come
    ]


def integer_passes() -> list[AnyPass]:
    """Both: from conversions to integer operators, tidied up."""
    return [*recurrent_passes(), *to_integers(), *after_integers()]


def row_passes(
    inputs: InputPlace = "argument",
    budget: int | None = None,
    cores: int = 1,
    libraries: Sequence[KernelLibrary] = (),
    always: bool = False,
    fused: bool = False,
    wants: Wants = nothing,
    growth: float = 0.0,
    ours: Estimate = unknown,
    external: int | None = None,
    found: Callable[[RowProgram, Sequence[Piece]], None] | None = None,
    outputs: OutputPlace = "argument",
    hop: int | None = None,
    saves: Saves = saves_nothing,
) -> list[AnyPass]:
    """From tensors to the row level, and the passes over it.

    Args:
        inputs: where the inputs lie.
        budget: bytes of arena that the schedule may take. Without one, it takes the least that can be on one core, and
            on several what it needs to share all heavy stages.
        cores: on how many the program runs.
        libraries: kernel libraries that layers may be given to.
        always: give layers to libraries wherever these are exact, not only where they are faster.
        fused: whether float sums are made by fused multiply-adds.
        wants: what memory the kernels of stages can use beside.
        growth: by which part of its size the arena may grow for that.
        ours: about the instructions of tinyc's own kernels, which those of libraries are held against.
        found: is told the segments that the search for a schedule has found, where there is one.
        external: bytes of a second, slower memory, for what does not fit into the budget. Goes with one.
        outputs: where the outputs lie.
        hop: keep the state between calls that bring so many rows of the first input; 0 for the fewest that can be.
            Goes with inputs and outputs by rows, one core, and no libraries.
        saves: about the instructions that memory beside saves, by which schedules within a budget are chosen.
    """
    memories = None if budget is None or external is None else (budget, external)
    spare = UseSpareMemory(wants, growth=growth, budget=budget)
    stream = Stream(budget, cores, found, partial(spare.saved, saves=saves), aside=not (libraries and always))
    # Stages that advance together are not shared: for speed alone, each stands by itself.
    schedule: RowPass = Split(cores) if cores > 1 and budget is None else stream
    if memories is not None:
        schedule = StreamInTwo(*memories, cores)
    if libraries:
        apart = Split(cores) if cores > 1 else None
        schedule = ChooseKernels(tuple(libraries), always, budget, apart, schedule, ours, memories is not None)
    if hop is not None:
        schedule = KeepState(hop)
    return [
        *([StepsAsRows()] if hop is not None else []),
        Lower(inputs, fused, outputs, strict=hop is None),  # from tensors to rows: buffers, and stages that fill them
        ShareBuffers(in_place=False),  # parts into their whole
        OrderStages(),  # the order of the stages in which least is alive
        ShareBuffers(into_whole=False),  # results over operands that die
        schedule,  # which stages advance together, row by row, and which ones cores share
        PlanArena(memories=memories),  # an offset for every buffer
        spare,  # gaps that make kernels faster
    ]


def default_pipeline(extra: Sequence[AnyPass] = (), inputs: InputPlace = "argument") -> list[AnyPass]:
    """Everything between the frontend and the code generator; `extra` passes run before the lowering."""
    return [*tensor_passes(), *integer_passes(), *extra, *row_passes(inputs)]
