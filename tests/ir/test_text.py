"""The text form: exact round trips, and errors that point at the place."""

from __future__ import annotations

import numpy as np
import pytest

from tinyc.ir import Builder, DType, Module, TensorType, Value
from tinyc.ir.ops import Clamp, Concat, Constant, Conv2d, Dense
from tinyc.ir.tensor import Tensor
from tinyc.ir.text import format_module
from tinyc.ir.text.parser import ParseError, parse_module

F32 = DType.F32


def round_trip(module: Module) -> Module:
    printed = format_module(module)
    return parse_module(printed.text, printed.data)


def small() -> Module:
    b = Builder("net")
    x = b.input("x", TensorType((1, 6, 6, 2), F32))
    w = b.constant(np.arange(36, dtype=np.float32).reshape(2, 3, 3, 2), "w")
    y = b.add(Conv2d(x, w, pads=(1, 1, 1, 1), min=0.0), "y", loc="Conv_0+Relu_1")
    return b.build([y])


def test_round_trip_keeps_everything() -> None:
    assert round_trip(small()) == small()


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        'quo"te',
        "back\\slash",
        "new\nline",
        "%",
        "@x",
        "",
        "x:0",
        "ünïcödé",
        "{}",
        "// not a comment",
        "none",
    ],
)
def test_names_of_any_kind(name: str) -> None:
    b = Builder(name)
    x = b.input(name, TensorType((2,), F32))
    m = b.build([b.add(Clamp(x, min=0.0), name + "'", loc=name)])
    assert round_trip(m) == m


def test_float_constants_are_exact_to_the_bit() -> None:
    bits = np.array(
        [
            0,
            0x80000000,
            1,
            0x007FFFFF,
            0x7F7FFFFF,
            0x7F800000,
            0xFF800000,
            0x7FC00000,
            0xFFC00001,
            0x3DCCCCCD,
            0x4B800001,
        ],
        dtype=np.uint32,
    )
    rng = np.random.default_rng(7)
    for chunk in (bits, *rng.integers(0, 2**32, (200, 16), dtype=np.uint32)):
        b = Builder("net")
        m = b.build([b.constant(chunk.view(np.float32))])
        assert round_trip(m) == m


@pytest.mark.parametrize("dtype", [d for d in DType if d is not F32])
def test_integer_constants_at_their_limits(dtype: DType) -> None:
    values = [0, 1] if dtype is DType.BOOL else [np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max, 0, 1]
    b = Builder("net")
    m = b.build([b.constant(np.array(values, dtype.numpy))])
    assert round_trip(m) == m


def test_large_data_is_kept_beside_the_text() -> None:
    printed = format_module(small())
    assert "@w" in printed.text
    assert list(printed.data) == ["w"]
    with pytest.raises(ParseError, match="no data named @w"):
        parse_module(printed.text)


def test_variadic_and_optional_operands() -> None:
    b = Builder("net")
    x = b.input("x", TensorType((1, 4), F32))
    w = b.constant(np.ones((2, 4), np.float32), "w")
    c = b.constant(np.ones(2, np.float32), "c")
    with_bias, without = b.add(Dense(x, w, c)), b.add(Dense(x, w))
    m = b.build([b.add(Concat((with_bias, without, with_bias), 1))])
    assert round_trip(m) == m
    assert "none" in format_module(m).text


GOOD = """module @net {
  input %x: f32[1,4]
  %y = clamp(%x) {min = 0.0} : f32[1,4]
  return %y
}
"""

BAD = [
    ("clamp(%x)", "clamp(%z)", 3, 14, "%z is not defined above"),
    ("clamp(%x)", "clump(%x)", 3, 8, "no operator clump"),
    ("min = 0.0", 'min = "a"', 3, 25, "min takes float"),
    ("min = 0.0", "mini = 0.0", 3, 19, "attribute mini is unknown; clamp has min, max"),
    ("min = 0.0", "min = 0.0, min = 1.0", 3, 30, "attribute min is twice"),
    ("min = 0.0", "min = 1.0, max = 0.0", 3, 8, "min 1.0 is above max 0.0"),
    (": f32[1,4]\n  return", ": f32[1,5]\n  return", 3, 32, r"clamp gives f32\[1,4\], not f32\[1,5\]"),
    ("input %x: f32", "input %x: f33", 2, 13, "f33 is not an element type"),
    ("clamp(%x)", "clamp(%x, %x)", 3, 3, "clamp takes the operands x"),
    ("clamp(%x)", "clamp(none)", 3, 3, "clamp cannot do without x"),
    ("%y = clamp", "%x = clamp", 3, 3, "%x is defined already"),
    ("return %y", "return %q", 4, 10, "%q is not defined above"),
    ("%y = ", "%y ", 3, 6, "expected '='"),
    ("return %y\n}", "return %y\n", 4, 12, "ends too early"),
]


@pytest.mark.parametrize(("old", "new", "line", "column", "message"), BAD)
def test_errors_show_line_column_and_caret(old: str, new: str, line: int, column: int, message: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(ParseError, match=message) as caught:
        parse_module(text, source="net.tc")
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    shown = str(caught.value).split("\n")
    assert shown[0].startswith(f"net.tc:{line}:{column}: ")
    assert shown[2].index("^") - 2 == column - 1


def test_comments_and_free_spacing() -> None:
    text = GOOD.replace("\n", " // remark\n").replace(",", " ,\n ")
    assert parse_module(text) == parse_module(GOOD)


def test_constructor_checks_come_from_the_fields() -> None:
    from tinyc.ir import IRError

    x = Value("x", TensorType((1, 4), F32))
    with pytest.raises(IRError, match="field min takes float, not 0"):
        Clamp(x, min=0)
    with pytest.raises(IRError, match="field data takes Tensor"):
        Constant(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(IRError, match="field xs takes a tuple of Value"):
        Concat([x, x], 0)  # type: ignore[arg-type]
    assert Constant(Tensor(np.zeros(3, np.float32))).type == TensorType((3,), F32)


SHORT = "module @m {{\n  input %x: f32[1,4]\n  %y = {} : f32[1,4]\n  return %y\n}}\n"
LARGE = "module @m {{\n  input %x: {}\n  return %x\n}}\n"
ABSURD = {
    "brackets": (SHORT.format("clamp(%x) {min = " + "[" * 3000 + "1" + "]" * 3000 + "}"), "a list holds no lists"),
    "open brackets": (SHORT.format("clamp(%x) {min = " + "[" * 3000), "expected"),
    "parentheses": (SHORT.format("clamp" + "(" * 3000), "expected"),
    "nothing else": ("[" * 3000, "expected"),
    "a huge dimension": (LARGE.format("f32[1,99999999999999999999]"), "a value has at most 67,108,864 elements"),
    "an endless dimension": (LARGE.format(f"f32[{'9' * 5000}]"), "a shape has non-negative integers"),
    "a huge image": (LARGE.format("f32[1,20000,20000,1]"), "a value has at most"),
    "a huge constant": (SHORT.format("constant() {data = f32[20000,20000]<1.0>}"), "a value has at most"),
    "an endless number": (SHORT.format("clamp(%x) {min = " + "9" * 5000 + "}"), ""),
}


@pytest.mark.parametrize("what", ABSURD)
def test_absurd_texts_are_refused_with_a_short_message(what: str) -> None:
    text, word = ABSURD[what]
    with pytest.raises(ParseError) as caught:
        parse_module(text)
    message = str(caught.value)
    assert word in message
    assert message.count("\n") == 2, "what, the line, the caret"
    assert max(map(len, message.split("\n"))) < 400
    line, caret = message.split("\n")[1:]
    assert caret.endswith("^")
    assert len(caret) <= len(line) + 1
