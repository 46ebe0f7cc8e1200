"""ESP-DSP (github.com/espressif/esp-dsp, Apache-2.0): products of float matrices and vectors.

The order of its sums is its own, so results differ from ours in the last bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tinyc.backends.libraries.layer import Gate, Layer
from tinyc.backends.libraries.operands import VECTOR, constant, in_place, is_aligned
from tinyc.ir.ops.conv import Conv2d
from tinyc.ir.ops.linear import Dense
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.rows.kernels import Offer
from tinyc.ir.types import DType

NAME = "esp-dsp"
TOLERANCE = 1e-6
"""How far a layer's results may be from the exact sums, as a part of the largest sum of the products' sizes."""
S3 = "esp32s3"

OURS: Mapping[str, float] = {"matrix": 3.2, "dot": 4.0}
"""Instructions a multiply-accumulate on rv32imafc, measured by `tinyc bench`."""
WAIT = 1.2
THEIRS: Mapping[str, Mapping[str, float]] = {
    "xtensa-lx6": {"matrix": 24_659 / 16**3, "dot": 1_047 / 256},
    S3: {"matrix": 6_280 / 16**3, "dot": 432 / 256},
    "esp32p4": {"matrix": 28_276 / 16**3, "dot": 1_319 / 256},
}
"""Cycles a multiply-accumulate, from the table of its documentation: `dspm_mult_f32` of 16x16x16, `dsps_dotprod_f32` of
256. On other chips it is portable C."""

GATES: tuple[Gate, ...] = (
    Gate("in-place", (), (), lambda layer: layer.in_place, "the result lies over an operand", "interface"),
    Gate("empty", (), (), lambda layer: min(layer.height, layer.channels, layer.outputs) < 1, "no products", "read"),
    Gate(
        "alignment",
        (),
        (S3,),
        lambda layer: not layer.aligned,
        "from other than multiples of 16 bytes the library computes without vectors",
        "read",
    ),
    Gate(
        "multiple-of-4",
        (),
        (S3,),
        lambda layer: bool((layer.channels | (0 if layer.height == 1 else layer.height | layer.outputs)) % 4),
        "sizes that are no multiples of 4 are computed without vectors",
        "read",
    ),
)


@dataclass(frozen=True)
class EspDSP:
    """ESP-DSP as it is on a chip: its vector instructions, or "xtensa-lx6", or "" for any other."""

    chip: str = ""

    @property
    def name(self) -> str:
        """As the component registry has it."""
        return NAME

    def offer(self, program: RowProgram, stage: Stage, whole: bool) -> Offer | str:
        """See `KernelLibrary`."""
        found = layer_of(program, stage, whole)
        if isinstance(found, str):
            return found
        gate = next((g for g in GATES if g.holds(found, self.chip)), None)
        if gate is not None:
            return f"{gate.name}: {gate.because}"
        kind = "dot" if found.height == 1 else "matrix"
        theirs = THEIRS.get(self.chip, {}).get(kind)
        work = found.height * found.channels * found.outputs
        return Offer(
            0,
            VECTOR if self.chip == S3 else 4,
            int(OURS[kind] * WAIT * work),
            None if theirs is None else int(theirs * work),
        )


def layer_of(program: RowProgram, stage: Stage, whole: bool) -> Layer | str:
    """The product of matrices that a stage is: `height` rows of `channels` by `outputs`; or why it is none."""
    op = stage.op
    if not isinstance(op, (Conv2d, Dense)):
        return f"no function for {op.mnemonic}"
    if any(v.dtype is not DType.F32 for v in op.operands) or constant(program, op.w) is None:
        return "weights are computed, or not float"
    if isinstance(op, Conv2d):
        plain = op.window() == op.strides == (1, 1) and op.groups == 1 and not any(op.pads)
        if not plain:
            return "convolutions of more than a pixel are no product of matrices"
        outputs, inputs = op.type.shape[3], op.x.shape[3]
    else:
        outputs, inputs = op.w.shape
    if not op.type.size:
        return "no elements"
    pixels = op.type.size // outputs
    if not whole:
        pixels //= stage.rows
    touched = (op.x, stage.result)
    aligned = all(is_aligned(program, v, whole) for v in touched)
    layer = Layer("dense", pixels, 1, inputs, pixels, 1, outputs)
    return replace(layer, aligned=aligned, in_place=in_place(program, stage))
