"""Faults in the generated C, in its kernels and in its header."""

from __future__ import annotations

from collections.abc import Callable
from re import Match

import pytest

from tests.planted.plant import QUIET, Fault, in_c, params

CALLBACK = {"rows_from": "callback"}


def add(number: int) -> Callable[[Match[str]], str]:
    """The first group, and the second, which is a number, and so much more."""
    return lambda found: f"{found[1]}{int(found[2]) + number}"


SIX = r"0x1\.8p\+2f|\b6\.0f|\b6f"
AT = r"(\*const {} = .*mem \+ )(\d+)"

FAULTS = [
    Fault("relu skipped", in_c(r"v = v <= low \? low : v;", ";"), "layer 1, .*stem"),
    Fault("relu6 of 8", in_c(SIX, "8.0f"), "layer 1, .*stem"),
    Fault("relu6 of 8, quiet", in_c(SIX, "8.0f"), "layer [12], .*(stem|expand)", loud=QUIET),
    Fault("pads' sides", in_c(r"/\*left=\*/1", "/*left=*/2"), "layer 1, .*stem"),
    Fault("pads of 1", in_c(r"(_zeros\[\d+\] = \{)(?:0[.0f]*)", r"\g<1>1.0f"), "layer 1, .*stem"),
    Fault("row index + 1", in_c(r"y \* 2, 3, 1, \d+, ", lambda m: f"y * 2 + 1{m[0][5:]}"), "layer 1, .*stem"),
    Fault("row index - 1", in_c(r"y - 1, 3, 1", "y - 2, 3, 1"), "layer 3, .*depthwise"),
    Fault("band one row short", in_c(r"for \(int y = 0; y < 11;", "for (int y = 0; y < 10;"), "layer 1, .*stem"),
    Fault("ring one row short", in_c(r"% 3 \* (\d+)", r"% 2 * \1"), "layer [23], .*(expand|depthwise)"),
    Fault("delay one less", in_c(r"t >= 1( && t <= \d+)?(.*\n.*)t - 1\b", r"t >= 0\1\2t - 0"), "layer 3, .*depthwise"),
    Fault("overlap of 4 bytes", in_c(AT.format("behind_pad_relu_out"), add(-4)), "layer 6, .*behind_pad"),
    Fault("arena macro - 64", in_c(r"(#define PLANTED_ARENA_BYTES )(\d+)", add(-64)), "PLANTED_ARENA_BYTES_is_as"),
    Fault("arena definition - 64", in_c(r"(name\[PLANTED_ARENA_BYTES)", r"\1 - 64"), "PLANTED_ARENA_is_as_planned"),
    Fault("arena alignment", in_c(r"(#define PLANTED_ARENA_ALIGN )(\d+)", add(-1)), "PLANTED_ARENA_ALIGN_is_as"),
    Fault("output's size", in_c(r"(#define PLANTED_OUTPUT_SIZE )(\d+)", add(-1)), "PLANTED_OUTPUT_SIZE_is_as"),
    Fault("writes before the arena", in_c(AT.format("stem_relu6_out"), lambda m: f"{m[1]}0 - 4"), "layer 1, .*outside"),
    Fault(
        "callback asks for the row after",
        in_c(r"next_row\(user, t,", "next_row(user, t + 1,"),
        "rows of its input",
        CALLBACK,
    ),
    Fault("callback window + 1", in_c(r"y \* 2, 3, 1", "y * 2 + 1, 3, 1"), "layer 1, .*stem", CALLBACK),
    Fault("callback row + 1 in the ring", in_c(r"(image_rows_2 \+ )t", r"\1(t + 1)"), "layer 1, .*stem", CALLBACK),
    Fault(
        "callback sweep late", in_c(r"t >= 2( && t <= \d+)?( && t % 2 == 0)", r"t >= 4\1\2"), "layer [01], ", CALLBACK
    ),
]

ONCE = r"\(m \+ 2 \* zero \+ 1\)"
PADS = r"(int8_t planted_pads\w*\[\d+\] = \{)([^}]*)\}"

INT8 = [
    Fault("truncating shift", in_c(ONCE, "(m + 2 * zero)"), "layer", int8=True),
    Fault("truncating shift, not narrowed", in_c(r" \+ 1\) >> 1;", ") >> 1;"), "layer", int8=True),
    Fault("ties", in_c(ONCE, "(m + 2 * zero + 1 - (m < 0))"), "layer", int8=True),
    Fault("pads of 0", in_c(PADS, lambda m: f"{m[1]}0}}"), "layer", int8=True),
    Fault("row index + 1", in_c(r"y \* 2, 3, 1", "y * 2 + 1, 3, 1"), "layer", int8=True),
    Fault("overlap of 1 byte", in_c(AT.format("behind_pad_relu_out_q"), add(-1)), "layer", int8=True),
]


@pytest.mark.parametrize("fault", [*params(FAULTS), *params(INT8, pytest.mark.slow)])
def test_it_is_caught(fault: Fault, must_catch: Callable[[Fault], None]) -> None:
    must_catch(fault)
