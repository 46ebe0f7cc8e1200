"""ESP-DSP (github.com/espressif/esp-dsp, Apache-2.0): products of float matrices and vectors.

The order of its sums is its own, so results differ from ours in the last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tinyc.backends.libraries.call import Gate, LibraryCall
from tinyc.backends.libraries.operands import VECTOR, constant, in_place, is_aligned
from tinyc.ir.concern import Concern
from tinyc.ir.ops.conv import Conv2d
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.linear import Dense
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.rows.kernels import Offer
from tinyc.ir.types import DType

NAME = "esp-dsp"
TOLERANCE = 1e-6
"""How far a layer's results may be from the exact sums, as a part of the largest sum of the products' sizes."""
S3 = "esp32s3"
NOT_PLAIN = "weights are computed, or not float"

PRODUCTS: Concern[Callable[[RowProgram, Any], tuple[int, int] | str]] = Concern(
    "product for ESP-DSP",
    "register in backends/libraries/esp_dsp.py of which matrices it is a product (`PRODUCTS`)",
    "it is no product of a matrix with all pixels",
)
"""The inputs and outputs of a matrix of weights that all pixels are multiplied with; or why there is none."""

CYCLES = 1.2
"""Of an instruction, on the ESP32-P4, where cycles are what is known."""
THEIRS: Mapping[str, Mapping[str, float]] = {
    "xtensa-lx6": {"matrix": 5.2, "dot": 4.1},
    S3: {"matrix": 1.4, "dot": 1.6},
    "esp32p4": {"matrix": 28_276 / 16**3 / CYCLES, "dot": 1_319 / 256 / CYCLES},
}
"""Instructions a multiply-accumulate: of `dspm_mult_f32` and `dsps_dotprod_f32`, counted on the simulated cores of
ESP32 and ESP32-S3 for six matrices of 12 to 2,304 rows; of the ESP32-P4, from the cycles that its documentation has. On
other chips it is portable C."""

GATES: tuple[Gate, ...] = (
    Gate("in-place", (), (), lambda call: call.in_place, "the result lies over an operand", "interface"),
    Gate("empty", (), (), lambda call: min(call.height, call.channels, call.outputs) < 1, "no products", "read"),
    Gate(
        "alignment",
        (),
        (S3,),
        lambda call: not call.aligned,
        "from other than multiples of 16 bytes the library computes without vectors",
        "read",
    ),
    Gate(
        "multiple-of-4",
        (),
        (S3,),
        lambda call: bool((call.channels | (0 if call.height == 1 else call.height | call.outputs)) % 4),
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
        found = call_of(program, stage, whole)
        if isinstance(found, str):
            return found
        gate = next((g for g in GATES if g.holds(found, self.chip)), None)
        if gate is not None:
            return f"{gate.name}: {gate.because}"
        kind = "dot" if found.height == 1 else "matrix"
        theirs = THEIRS.get(self.chip, {}).get(kind)
        work = found.height * found.channels * found.outputs * (1 if whole else stage.rows)
        return Offer(0, VECTOR if self.chip == S3 else 4, None if theirs is None else int(theirs * work))


def call_of(program: RowProgram, stage: Stage, whole: bool) -> LibraryCall | str:
    """The product of matrices that a stage is: `height` rows of `channels` by `outputs`; or why it is none."""
    op = stage.op
    product = PRODUCTS.find(type(op))
    if product is None:
        return f"no function for {op.mnemonic}"
    sizes = product(program, op)
    if isinstance(sizes, str):
        return sizes
    inputs, outputs = sizes
    if not op.type.size:
        return "no elements"
    pixels = op.type.size // outputs
    if not whole:
        pixels //= stage.rows
    touched = (op.operands[0], stage.result)
    aligned = all(is_aligned(program, v, whole) for v in touched)
    call = LibraryCall("dense", pixels, 1, inputs, pixels, 1, outputs)
    return replace(call, aligned=aligned, in_place=in_place(program, stage))


def _is_plain(program: RowProgram, op: LinearLayer) -> bool:
    """Whether all is float, and the weights are constants."""
    return all(v.dtype is DType.F32 for v in op.operands) and constant(program, op.w) is not None


@PRODUCTS(Dense)
def _dense(program: RowProgram, op: Dense) -> tuple[int, int] | str:
    if not _is_plain(program, op):
        return NOT_PLAIN
    outputs, inputs = op.w.shape
    return inputs, outputs


@PRODUCTS(Conv2d)
def _pointwise(program: RowProgram, op: Conv2d) -> tuple[int, int] | str:
    if not _is_plain(program, op):
        return NOT_PLAIN
    if not op.window() == op.strides == (1, 1) or op.groups != 1 or any(op.pads):
        return "convolutions of more than a pixel are no product of matrices"
    return op.x.shape[3], op.type.shape[3]
