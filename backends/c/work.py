"""What the kernels of stages do, in what their instructions are counted by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch

from tinyc.backends.c import mac16, pie
from tinyc.backends.c.forms import form
from tinyc.backends.c.pie_tables import VECTOR, up
from tinyc.backends.c.tuning import Tuning
from tinyc.ir.op import Op
from tinyc.ir.ops import Conv2d, Dense, DepthwiseConv2d, QConv2d, QDense, QDepthwiseConv2d, QMean, Quantize
from tinyc.ir.ops.pool import Pool
from tinyc.ir.ops.recurrent import Steps
from tinyc.ir.rows import RowProgram, Stage


@dataclass(frozen=True)
class Work:
    """What a kernel does in an inference.

    Attributes:
        kind: what has a line of its own in `estimates.toml`.
        calls: of the kernel.
        set_up: what a call, or a band of it, does once for all its pixels: weights, channels of a depthwise layer.
        results: elements; by vectors, of 16 at once.
        gathered: elements of windows, each once for all channels of a result; rows of a pooling's windows.
        products: multiply-accumulates, or elements that are read; by vectors, of 16 at once.
    """

    kind: str
    calls: float
    set_up: float
    results: float
    gathered: float
    products: float

    @property
    def counts(self) -> tuple[float, ...]:
        """All of them, in the order of the lines of `estimates.toml`."""
        return self.calls, self.set_up, self.results, self.gathered, self.products


def work_of(program: RowProgram, stage: Stage, tuning: Tuning) -> Work:
    """What tinyc's own kernel for a stage does, with the scratch memory that the stage has now."""
    how: str = form(program, stage, tuning)
    work = _work(stage.op, stage, how == "vectors")
    if how == "mac16":
        work = replace(work, set_up=work.set_up * mac16.bands(program, stage, tuning))
    if how == "vectors" and pie.takes(program, stage, tuning) and not pie.results_by_vectors(program, stage):
        how = "singly"  # vectors, but for results
    kind = f"{work.kind} {stage.op.operands[0].dtype.value}" if stage.op.operands else work.kind
    # What floats are quantised to is found from their bits.
    software = "f32" in kind and not tuning.fpu and work.kind != Quantize.mnemonic
    return replace(work, kind=f"{kind} {'software' if software else how}")


@singledispatch
def _work(op: Op, stage: Stage, vectors: bool) -> Work:
    """Of an operator whose kernel is a loop over elements."""
    read = sum(v.type.size for v in op.operands)
    return Work(op.mnemonic, stage.applications, 0, op.type.size / (VECTOR if vectors else 1), 0, read)


@_work.register
def _integer_convolution(op: QConv2d, stage: Stage, vectors: bool) -> Work:
    if not vectors or op.per_pixel():
        return _convolution(op, stage, vectors)
    taken, copying = pie.copying(op)
    outputs = op.type.shape[3]
    return replace(_by_vectors(op, stage, "convolution", taken, outputs), gathered=op.type.size / outputs * copying)


@_work.register(Conv2d)
def _convolution(op: QConv2d | Conv2d, stage: Stage, vectors: bool) -> Work:
    inputs, (kh, kw), outputs = op.x.shape[3] // op.groups, op.window(), op.type.shape[3]
    if op.groups == 1 and op.per_pixel():
        return _pixels(op, stage, inputs, outputs, vectors)
    return _sums(op, stage, "convolution" if op.groups == 1 else "convolution in groups", kh * kw * inputs, outputs)


@_work.register(QDense)
@_work.register(Dense)
def _dense(op: QDense | Dense, stage: Stage, vectors: bool) -> Work:
    outputs, inputs = op.w.shape
    return _pixels(op, stage, inputs, outputs, vectors)


@_work.register
def _recurrent(op: Steps, stage: Stage, vectors: bool) -> Work:
    """Of a recurrent layer: as of dense layers of all its gates, one a step."""
    steps, batch, inputs = op.sizes
    results, window = steps * batch * op.gates * op.hidden, inputs + op.hidden
    return Work("pointwise", steps, 0, results, steps * batch * window, op.macs())


def _pixels(op: Op, stage: Stage, inputs: int, outputs: int, vectors: bool) -> Work:
    """Of a layer of pixels."""
    if vectors:
        return _by_vectors(op, stage, "pointwise", up(inputs) // VECTOR, outputs)
    return _sums(op, stage, "pointwise", inputs, outputs)


def _by_vectors(op: Op, stage: Stage, kind: str, taken: int, outputs: int) -> Work:
    """Of a layer whose windows are so many vectors: for each block of 16 outputs, these are loaded; results are made in
    eights."""
    calls, pixels, blocks = stage.calls, op.type.size / outputs, up(outputs) / VECTOR
    results = pixels * -(-outputs // 8) / 2
    return Work(kind, calls, calls * blocks, results, pixels * blocks, pixels * (outputs + blocks) * taken)


def _sums(op: Op, stage: Stage, kind: str, window: int, outputs: int) -> Work:
    """Of a layer each of whose results is a sum over `window` elements."""
    calls, pixels = stage.calls, op.type.size / max(outputs, 1)
    return Work(kind, calls, calls * window * outputs, op.type.size, pixels * window, op.macs())


@_work.register(QDepthwiseConv2d)
@_work.register(DepthwiseConv2d)
def _depthwise(op: QDepthwiseConv2d | DepthwiseConv2d, stage: Stage, vectors: bool) -> Work:
    (kh, kw), channels, calls = op.window(), op.type.shape[3], stage.applications
    three, results = op.may_overwrite_row(), float(op.type.size)
    if vectors:
        # Few channels of several pixels share lanes.
        flat = three and op.strides[1] == 1 and VECTOR % channels == 0
        results /= VECTOR if flat else channels * VECTOR / up(channels)
        channels = up(channels) // VECTOR
    kind = f"depthwise 3x3 stride {op.strides[1]}" if three else "depthwise"
    return Work(kind, calls, calls * channels, results, 0, 0 if three else results * kh * kw)


@_work.register
def _pool(op: Pool, stage: Stage, vectors: bool) -> Work:
    return _window(op, stage, op.window(), vectors)


@_work.register
def _mean(op: QMean, stage: Stage, vectors: bool) -> Work:
    return _window(op, stage, (1, op.x.shape[1] * op.x.shape[2]), vectors)


def _window(op: Op, stage: Stage, window: tuple[int, int], vectors: bool) -> Work:
    channels, results = op.type.shape[-1], float(op.type.size)
    if vectors:
        results *= up(channels) / (channels * VECTOR)
    rows = results * window[0]
    return Work(op.mnemonic, stage.applications, 0, results, rows, rows * window[1])
