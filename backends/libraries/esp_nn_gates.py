"""Where ESP-NN must not be called: what its functions do not do, and what they do wrong.

From the sources of version 1.2.3; `known` says whether it was seen to go wrong or only read. A gate stays for later
versions, also where `fixed` names one that is right: which version is linked is not known here. Those of the C for
chips without vector instructions hold for all chips, so that code for any of them is right wherever it runs.

"read" has not been seen on a chip. Vector loads ignore the low four bits of an address: what begins elsewhere is read
wrongly, without notice.
"""

from __future__ import annotations

from tinyc.backends.libraries.call import Gate, LibraryCall

NONE, S3, P4 = "", "esp32s3", "esp32p4"
LARGEST_DIMENSION = 2**15 - 1
"""Sizes are truncated to 16 bits; some positions are kept in signed ones."""
LARGEST_SUM = 2**31 - 1
STACK_CHANNELS = 512
"""Channels for which an int32 each may lie on the stack: 2 kB."""
S3_WHOLE = 40 * 1024
"""Bytes of a padded operand above which its 3x3 depthwise convolution asks for memory for three rows of it."""
S3_CACHE = 48 * 1024
"""Bytes of 16-bit filter and operand above which the ESP32-S3's depthwise convolution goes by tiles."""


def _pointwise(call: LibraryCall) -> bool:
    return call.kernel == (1, 1)


def _plain_pointwise(call: LibraryCall) -> bool:
    return call.kernel == (1, 1) and call.strides == (1, 1) and call.begin == (0, 0)


def _too_large(call: LibraryCall) -> bool:
    sizes = (call.height, call.width, call.channels, call.out_height, call.out_width, call.outputs, *call.kernel)
    return max(sizes) > LARGEST_DIMENSION


def _s3_end_padding(call: LibraryCall) -> bool:
    more = any(end > start for end, start in zip(call.end, call.begin, strict=True))
    row = call.kernel[1] * call.channels
    gathered = row < 16 <= row * call.kernel[0]
    return call.groups == 1 and any(call.begin) and more and not gathered


def _s3_end_tiled(call: LibraryCall) -> bool:
    """A depthwise convolution without pads at the beginning: how far the library takes its operand to be too small."""
    down, right = (
        out * step + size - 1 - inside
        for out, step, size, inside in zip(
            (call.out_height, call.out_width), call.strides, call.kernel, (call.height, call.width), strict=True
        )
    )
    return (
        call.each == 1
        and call.kernel == (3, 3)
        and call.channels % 16 == 0
        and not any(call.begin)
        and bool(down or right)
        and (call.height + down) * (call.width + right) * call.channels > S3_WHOLE
    )


def _s3_tiled(call: LibraryCall) -> bool:
    area = call.kernel[0] * call.kernel[1] + call.height * call.width
    return (
        call.each == 1
        and call.channels % 8 == 0
        and call.kernel != (3, 3)
        and 2 * call.channels * area > S3_CACHE
        and bool(call.begin[0] or call.end[0])
    )


def _p4_unaligned(call: LibraryCall) -> bool:
    if _plain_pointwise(call):
        return call.channels >= 16 and call.channels % 16 != 0
    if call.begin == (0, 0) and call.kernel[1] * call.channels >= 16:
        return call.channels % 16 != 0
    return call.window % 16 != 0 or call.outputs % 4 != 0


def _p4_direct(call: LibraryCall) -> bool:
    """Whether a convolution is computed straight from an operand without pads."""
    direct = call.begin == (0, 0) and call.kernel[1] * call.channels >= 16
    return direct and not _plain_pointwise(call)


CONV, WINDOWS = ("conv",), ("conv", "depthwise", "max_pool", "avg_pool")

GATES: tuple[Gate, ...] = (
    Gate(
        "batch",
        (*WINDOWS, "mean"),
        (),
        lambda call: call.images != 1,
        "the function takes one image",
        "interface",
    ),
    Gate(
        "dilation",
        WINDOWS,
        (),
        lambda call: call.dilations != (1, 1),
        "dilations are ignored",
        "run",
    ),
    Gate(
        "size",
        (*WINDOWS, "dense", "mul_channels", "mean", "softmax"),
        (),
        _too_large,
        f"sizes above {LARGEST_DIMENSION} are truncated",
        "read",
    ),
    Gate(
        "sums",
        ("conv", "depthwise", "dense"),
        (),
        lambda call: call.largest_sum > LARGEST_SUM,
        "with zero points subtracted element by element, sums may overflow int32",
        "interface",
    ),
    Gate(
        "mean-limits",
        ("mean",),
        (),
        lambda call: (call.low, call.high) != (-128, 127),
        "the function has no limits",
        "interface",
    ),
    Gate(
        "softmax-width",
        ("softmax",),
        (),
        lambda call: call.channels > 511,
        "from 512 entries on, a sum of exponentials is shifted by more than C defines",
        "read",
    ),
    Gate(
        "softmax-shift",
        ("softmax",),
        (),
        lambda call: call.left > 30,
        "1 << 31 is no int32",
        "read",
    ),
    Gate(
        "in-place",
        (),
        (),
        lambda call: call.in_place and call.kind not in ("add", "softmax"),
        "the result lies over an operand",
        "caution",
    ),
    Gate(
        "pointwise-groups",
        CONV,
        (),
        lambda call: _pointwise(call) and call.groups > 1,
        "1x1 convolutions ignore groups",
        "run",
    ),
    Gate(
        "pointwise-padding",
        CONV,
        (),
        lambda call: _pointwise(call) and call.pads,
        "1x1 convolutions ignore padding",
        "run",
    ),
    # Chips with vector instructions.
    Gate(
        "alignment",
        (),
        (S3, P4),
        lambda call: not call.aligned,
        "vectors are loaded from multiples of 16 bytes",
        "read",
    ),
    Gate(
        "s3-end-padding",
        CONV,
        (S3,),
        _s3_end_padding,
        "padding at the end is dropped where there is some at the beginning",
        "read",
    ),
    Gate(
        "s3-depthwise-scratch",
        ("depthwise",),
        (S3,),
        lambda call: (
            call.each == 1 and call.kernel == (3, 3) and call.channels % 16 == 0 and call.begin not in ((0, 0), (1, 1))
        ),
        "the function writes beyond its scratch memory",
        "read",
    ),
    Gate(
        "s3-depthwise-end-padding",
        ("depthwise",),
        (S3,),
        lambda call: (
            call.each == 1
            and call.kernel == (3, 3)
            and call.channels % 16 == 0
            and call.begin == (1, 1)
            and max(call.end) > 1
        ),
        "padding at the end is taken to be that at the beginning",
        "read",
    ),
    Gate(
        "s3-depthwise-end-tiles",
        ("depthwise",),
        (S3,),
        _s3_end_tiled,
        "the whole operand is padded in scratch memory for three rows of it",
        "run",
    ),
    Gate(
        "s3-depthwise-tiles",
        ("depthwise",),
        (S3,),
        _s3_tiled,
        "rows of padding are filled with the offset in place of zero",
        "read",
    ),
    Gate(
        "s3-max-pool-channels",
        ("max_pool",),
        (S3,),
        lambda call: call.channels % 4 != 0,
        "the function returns without a result unless channels are a multiple of 4",
        "read",
    ),
    Gate(
        "s3-avg-pool-channels",
        ("avg_pool",),
        (S3,),
        lambda call: call.channels % 4 != 0 and call.kernel[0] * call.kernel[1] > 256,
        "16-bit sums overflow in windows of more than 256",
        "read",
    ),
    Gate(
        "s3-dense-alignment",
        ("dense",),
        (S3,),
        lambda call: call.height > 1 and call.channels % 16 != 0,
        "rows that do not begin at multiples of 8 bytes are read wrongly",
        "read",
        fixed="1.2.6",
    ),
    Gate(
        "s3-dense-stack",
        ("dense",),
        (S3,),
        lambda call: call.outputs > STACK_CHANNELS,
        "the function takes 4 bytes of stack an output",
        "read",
    ),
    Gate(
        "s3-softmax-alignment",
        ("softmax",),
        (S3,),
        lambda call: call.channels >= 32 and call.height > 1 and call.channels % 16 != 0,
        "the maximum of a row that does not begin at a multiple of 16 bytes is wrong",
        "read",
    ),
    Gate(
        "s3-mul-channels",
        ("mul_channels",),
        (S3,),
        lambda call: call.channels % 16 != 0,
        "rows do not begin at multiples of 16 bytes",
        "caution",
    ),
    Gate(
        "p4-groups",
        CONV,
        (P4,),
        lambda call: call.groups > 1,
        "gathered windows ignore groups",
        "read",
    ),
    Gate(
        "p4-end-padding",
        CONV,
        (P4,),
        lambda call: _p4_direct(call) and any(call.end),
        "more than one column of padding at the end counts as one",
        "read",
    ),
    Gate(
        "p4-conv-alignment",
        CONV,
        (P4,),
        _p4_unaligned,
        "vectors are loaded without regard to alignment",
        "read",
    ),
    Gate(
        "p4-depthwise-alignment",
        ("depthwise",),
        (P4,),
        lambda call: call.each == 1 and call.channels >= 8 and call.channels % 16 != 0,
        "vectors are loaded without regard to alignment",
        "read",
    ),
    Gate(
        "p4-depthwise-wide",
        ("depthwise",),
        (P4,),
        lambda call: call.each == 1 and call.channels > 256,
        "above 256 channels bias and zero point are left out",
        "read",
    ),
    Gate(
        "p4-pool-alignment",
        ("max_pool", "avg_pool", "mean"),
        (P4,),
        lambda call: call.channels >= 16 and call.channels % 16 != 0,
        "vectors are loaded without regard to alignment",
        "read",
    ),
    Gate(
        "p4-dense-alignment",
        ("dense",),
        (P4,),
        lambda call: call.channels >= 16 and call.channels % 16 != 0,
        "vectors are loaded without regard to alignment",
        "read",
    ),
    Gate(
        "p4-softmax-alignment",
        ("softmax",),
        (P4,),
        lambda call: call.channels >= 16 and call.height > 1 and call.channels % 16 != 0,
        "the maximum of a row that does not begin at a multiple of 16 bytes is wrong",
        "read",
    ),
)
