"""The order of work of `RowProgram.schedule` in C: one loop over rows for each stage, or for a segment of several."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tinyc.backends.c.addresses import Addresses
from tinyc.backends.c.describe import sentence
from tinyc.backends.c.emitter import emit
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.unit import Argument, Count, Pointer, RowCall, Rows, Scratch, TranslationUnit, Turn
from tinyc.backends.c.windows import leaves_rows
from tinyc.ir.op import RowMode, Value, Window
from tinyc.ir.rows import Pace, RowProgram, Segment, Stage, row_count
from tinyc.ir.types import WORD


def segment_lines(unit: TranslationUnit, addresses: Addresses, segment: Segment) -> list[str]:
    """The statements of a segment."""
    program = unit.program
    if not segment.streams:
        number = segment.first
        stage = program.stages[number]
        lines = ["", f"/* {_said(program, number)} */"]
        if stage.result.type.size:
            lines += _stage_lines(unit, addresses, stage, segment.reverse)
            where = addresses.whole(_lies(program, stage))
            lines.append(f"TINYC_TRACE({number}, 0, {where}, {stage.result.type.size});")
        return lines
    last = segment.stages[-1]
    how = "from the last row to the first, " if segment.reverse else ""
    return [
        "",
        f"/* Layers {segment.first} to {last} together, {how}row by row: each computes a row as soon as it can. */",
        f"for (int t = 0; t < {program.sweeps(segment)}; ++t) {{",
        *(f"    {line}" for line in sweep_lines(unit, addresses, segment)),
        "}",
    ]


def sweep_lines(unit: TranslationUnit, addresses: Addresses, segment: Segment) -> list[str]:
    """The statements of sweep number `t` of a segment, but for the copying of rows that can be pushed."""
    lines: list[str] = []
    for number, pace in zip(segment.stages, segment.paces, strict=True):
        stage = unit.program.stages[number]
        if stage is unit.program.pushed or not stage.result.type.size:
            continue
        outside = _outside(unit.program, addresses, stage, pace)
        body = outside or row_lines(unit, addresses, stage, emit(unit, stage), segment.reverse)
        if stage.gathers:
            # No elements are ready before the last row, but what each row takes is told.
            told = f"{_turn(stage, segment.reverse, first=False)} ? {stage.result.type.size} : 0"
            body.append(f"TINYC_TRACE({number}, 0, {addresses.whole(stage.result)}, {told});")
        else:
            elements, where = row_elements(stage.result), addresses.row(_lies(unit.program, stage), "y")
            body.append(f"TINYC_TRACE({number}, y * {elements}, {where}, {elements});")
        lines += [
            f"/* {_said(unit.program, number)} */",
            f"{due(stage, pace, unit.program.sweeps(segment))}{{",
            f"    const int y = {row_due(stage, pace, segment.reverse)};",
            *(f"    {line}" for line in body),
            "}",
        ]
    return lines


def due(stage: Stage, pace: Pace, sweeps: int) -> str:
    """The condition under which a stage has a row due in sweep `t`."""
    last = pace.delay + (stage.rows - 1) * pace.period
    tests = [f"t >= {pace.delay}"] if pace.delay else []
    tests += [f"t <= {last}"] if last < sweeps - 1 and not stage.endless else []
    tests += [f"t % {pace.period} == {pace.delay % pace.period}"] if pace.period > 1 else []
    return f"if ({' && '.join(tests)}) " if tests else ""


def row_due(stage: Stage, pace: Pace, reverse: bool) -> str:
    """The row that is due in sweep `t`."""
    since = f"t - {pace.delay}" if pace.delay else "t"
    if pace.period > 1:
        since = f"({since}) / {pace.period}" if pace.delay else f"t / {pace.period}"
    elif reverse and pace.delay:
        since = f"({since})"
    return f"{stage.rows - 1} - {since}" if reverse else since


def row_elements(value: Value) -> int:
    """Elements of one row of a value."""
    return value.type.size // row_count(value)


def _said(program: RowProgram, number: int) -> str:
    """What a stage does, as the text of a comment."""
    stage = program.stages[number]
    outside = ""
    if program.takes_rows(stage):
        outside = ", from a callback" if program.endless is None else ", from who calls"
    elif program.gives_rows(stage):
        outside = ", to a callback" if program.endless is None else ", to who calls"
    return f"{sentence(number, stage)}{outside}"


def _lies(program: RowProgram, stage: Stage) -> Value:
    """The value in whose memory the result of a stage is found: rows that go outside are in that of the operand."""
    return _read(stage, 0) if program.gives_rows(stage) else stage.result


def _read(stage: Stage, operand: int) -> Value:
    """The value in whose memory a stage finds the row of an operand that has the number of its own row."""
    return next((f.value for f in stage.fresh if f.operand == operand), stage.op.operands[operand])


def _called_back(program: RowProgram, addresses: Addresses, stage: Stage) -> str:
    """The statement by which row y of a stage comes from outside, or goes there; empty for a stage that computes."""
    if program.takes_rows(stage):
        return f"{addresses.callback(stage.op.operands[0])}(user, y, {addresses.row(stage.result, 'y')});"
    if program.gives_rows(stage):
        return f"{addresses.callback(stage.result)}(user, y, {addresses.row(_lies(program, stage), 'y')});"
    return ""


def _outside(program: RowProgram, addresses: Addresses, stage: Stage, pace: Pace) -> list[str]:
    """The statements by which row y of a stage comes from outside, or goes there, in sweep t of a segment; none for a
    stage that computes."""
    if program.endless is None:
        call = _called_back(program, addresses, stage)
        return [call] if call else []
    takes = program.takes_rows(stage)
    if not takes and not program.gives_rows(stage):
        return []
    # The rows of a call lie one after the other in the memory of who calls.
    size = row_elements(stage.result)
    since = "(t - begin)" if pace.period == 1 else f"(t - begin) / {pace.period}"
    there = addresses.outside(stage.op.operands[0] if takes else stage.result)
    there += f" + {since} * {size}" if program.endless.hop > pace.period else ""
    here = addresses.row(stage.result if takes else _lies(program, stage), "y")
    element = C_TYPES[stage.result.dtype]
    return [
        f"const {element} *const row = {there if takes else here};",
        f"{element} *const to = {here if takes else there};",
        f"for (int k = 0; k < {size}; ++k) {{",
        "    to[k] = row[k];",
        "}",
    ]


def _stage_lines(unit: TranslationUnit, addresses: Addresses, stage: Stage, reverse: bool) -> list[str]:
    if outside := _called_back(unit.program, addresses, stage):
        return [f"for (int y = 0; y < {stage.rows}; ++y) {{", f"    {outside}", "}"]
    call = emit(unit, stage)
    beside = all(_beside(stage, operand) for operand in range(len(stage.windows)))
    if not stage.windows or (call.long_rows and stage.band == stage.rows and beside):
        return [step_call(call, lambda a: _whole(addresses, stage, a), addresses.whole(stage.result))]
    rows = f"int y = {stage.rows - 1}; y >= 0; --y" if reverse else f"int y = 0; y < {stage.rows}; ++y"
    lines = row_lines(unit, addresses, stage, call, reverse)
    return [f"for ({rows}) {{", *(f"    {line}" for line in lines), "}"]


def step_call(call: RowCall, argument: Callable[[Argument], str], out: str) -> str:
    """The statement of one step, given how each argument reads at this step."""
    return f"{call.function}({', '.join([*(argument(a) for a in call.arguments), out])});"


def _whole(addresses: Addresses, stage: Stage, argument: Argument) -> str:
    if isinstance(argument, str):
        return argument
    if isinstance(argument, Scratch):
        return scratch_pointer(addresses, stage)
    assert isinstance(argument, Pointer)
    return addresses.whole(stage.op.operands[argument.operand])


def scratch_pointer(addresses: Addresses, stage: Stage) -> str:
    """The scratch memory of a stage that has some."""
    assert stage.kernel.scratch is not None
    return addresses.base(stage.kernel.scratch)


def _turn(stage: Stage, reverse: bool, *, first: bool) -> str:
    """Whether row y is the first that a stage takes, or else the last."""
    return f"y == {0 if first != reverse else stage.rows - 1}"


def row_lines(
    unit: TranslationUnit, addresses: Addresses, stage: Stage, call: RowCall, reverse: bool = False
) -> list[str]:
    """The statements that compute row y."""
    several = [a.operand for a in call.arguments if isinstance(a, Rows)]
    elsewhere = [a.operand for a in call.arguments if isinstance(a, Pointer) and not _beside(stage, a.operand)]
    windows = {k: f"rows{k}" if k else "rows" for k in (*several, *elsewhere)}
    counted = {a.operand: "count" for a in call.arguments if isinstance(a, Count)}
    body: list[str] = []
    for operand, name in windows.items():
        body += _window_lines(unit, addresses, stage, operand, name, counted.get(operand, ""))

    def argument(a: Argument) -> str:
        if isinstance(a, str):
            return a
        if isinstance(a, Rows):
            return windows[a.operand]
        if isinstance(a, Count):
            return counted[a.operand]
        if isinstance(a, Scratch):
            return scratch_pointer(addresses, stage)
        if isinstance(a, Turn):
            return _turn(stage, reverse, first=a.first)
        if a.operand in windows:
            return f"{windows[a.operand]}[0]"
        value = _read(stage, a.operand)
        return addresses.whole(value) if stage.windows[a.operand] is None else addresses.row(value, "y")

    if stage.aside:
        return [*body, *_aside_lines(unit, addresses, stage, argument)]
    out = addresses.whole(stage.result) if stage.gathers else addresses.row(stage.result, "y")
    return [*body, step_call(call, argument, out)]


def _aside_lines(
    unit: TranslationUnit, addresses: Addresses, stage: Stage, argument: Callable[[Argument], str]
) -> list[str]:
    """The statements that compute row y over that of the operand, of which some pixels at a time are copied aside."""
    operand = stage.op.operands[0]
    element, pixel, made = C_TYPES[operand.dtype], operand.shape[-1], stage.result.shape[-1]
    words, memory = stage.words_aside, [f"{element} aside[{stage.aside * pixel}];"]
    if words and operand.dtype.bytes < WORD:
        memory = [f"uint32_t words[{words}];", f"{element} *const aside = ({element} *)(void *)words;"]

    def given(a: Argument) -> str:
        return "aside" if isinstance(a, Pointer) and a.operand == 0 else argument(a)

    def part(pixels: int, first: str) -> list[str]:
        call, size = emit(unit, dataclasses.replace(stage, aside=pixels)), pixels * pixel
        at = f"{first} * {pixel}"
        copied = [f"for (int i = 0; i < {size}; ++i) {{", f"    aside[i] = row[{at} + i];", "}"]
        if words:
            copied = [f"{unit.kernels.use('move_words')}(row + {at}, aside, {words * pixels // stage.aside});"]
        return [*copied, step_call(call, given, f"row + {first} * {made}")]

    width = stage.result.shape[2]
    rest = width % stage.aside
    lines = [f"{element} *const row = {addresses.row(operand, 'y')};", *memory]
    lines += [f"for (int k = 0; k < {width - rest}; k += {stage.aside}) {{"]
    lines += [*(f"    {line}" for line in part(stage.aside, "k")), "}"]
    return lines + (part(rest, str(width - rest)) if rest else [])


def _beside(stage: Stage, operand: int) -> bool:
    """Whether what a row of the result reads is all of the operand, or its row of the same number, which there is."""
    window = stage.windows[operand]
    if window is None:
        return True
    return window.is_pointwise and not leaves_rows(stage, window, row_count(stage.op.operands[operand]))


def _window_lines(
    unit: TranslationUnit, addresses: Addresses, stage: Stage, operand: int, name: str, count: str
) -> list[str]:
    """Fills the array `name` with the row pointers of output row y."""
    value, window = stage.op.operands[operand], stage.windows[operand]
    assert window is not None
    height, element = _height(stage, value), C_TYPES[value.dtype]
    if addresses.follows(value) and window.is_pointwise and not count:
        return [f"const {element} *{name}[1] = {{{addresses.row(value, 'y')}}};"]
    if addresses.follows(value) or unit.program.repeats(value.name) > 1 or not window.is_even:
        return _each_row_lines(unit, addresses, stage, operand, name, count)
    arguments = [name, addresses.base(value), _first_row(window), str(window.size), str(window.dilation)]
    kernel, result = "rows", ""
    if leaves_rows(stage, window, height):
        arguments.append(str(height))
        if window.mode is RowMode.FILL:
            kernel, fill = "fill_rows", stage.op.row_fill()
            assert fill is not None
            arguments.insert(2, unit.constants.pad_row(value.dtype, fill, row_elements(value)))
        else:
            kernel, result = "clip_rows", f"const int {count} = "
    function = unit.kernels.use(kernel, value.dtype)
    arguments += [str(addresses.kept(value)), str(row_elements(value))]
    lines = [f"const {element} *{name}[{window.size}];", f"{result}{function}({', '.join(arguments)});"]
    for fresh in (f for f in stage.fresh if f.operand == operand):
        there = [row for row in range(stage.rows) if stage.fresh_row(operand, row) is not None]
        if not there:
            continue
        tests = [f"y >= {there[0]}"] if there[0] else []
        tests += [f"y <= {there[-1]}"] if there[-1] < stage.rows - 1 and not stage.endless else []
        # Of a window that clips, rows before and after the newest may be missing: it is the first, or the last.
        place = f"{count} - 1" if count and fresh.place else str(fresh.place)
        newest = f"{name}[{place}] = {addresses.base(fresh.value)};"
        lines += [f"if ({' && '.join(tests)}) {{", f"    {newest}", "}"] if tests else [newest]
    return lines


def _each_row_lines(
    unit: TranslationUnit, addresses: Addresses, stage: Stage, operand: int, name: str, count: str
) -> list[str]:
    """As `_window_lines`, for rows that are kept once and read several times or lie over others, and for windows that
    do not move by the same number of rows each time."""
    value, window = stage.op.operands[operand], stage.windows[operand]
    assert window is not None
    height = _height(stage, value)
    place = f"{name}[{f'{count}++' if count else 'k'}] = {addresses.row(value, 'row')};"
    lines = [f"const {C_TYPES[value.dtype]} *{name}[{window.size}];", *([f"int {count} = 0;"] if count else [])]
    step = f" + k * {window.dilation}" if window.dilation > 1 else " + k"
    at = f"{_first_row(window)}{step if window.size > 1 else ''}"
    outside = f"row < 0 || row >= {height}"
    if window.is_even:
        body = [f"const int row = {at};"]
    elif window.mode.inside:
        body = [f"const int at = {at};", f"const int row = {_row_inside(window, height)};"]
    else:
        outside = f"at < 0 || at % {window.times} != 0 || row >= {height}"
        body = [f"const int at = {at};", f"const int row = at / {window.times};"]
    if window.mode.inside or not (window.times > 1 or leaves_rows(stage, window, height)):
        body.append(place)
    elif count:
        body += [f"if (row >= 0 && row < {height}) {{", f"    {place}", "}"]
    else:
        fill = stage.op.row_fill()
        assert fill is not None
        pad = unit.constants.pad_row(value.dtype, fill, row_elements(value))
        body.append(place.replace(" = ", f" = {outside} ? {pad} : ", 1))
    return [*lines, f"for (int k = 0; k < {window.size}; ++k) {{", *(f"    {line}" for line in body), "}"]


def _row_inside(window: Window, height: int) -> str:
    """The row that is read for `at`, where one inside stands for each outside."""
    if window.mode is RowMode.REFLECT:
        return f"at < 0 ? -at : at < {height} ? at : {2 * (height - 1)} - at"
    row = f"at / {window.times}" if window.times > 1 else "at"
    return f"at < 0 ? 0 : at < {height * window.times} ? {row} : {height - 1}"


def _height(stage: Stage, value: Value) -> int:
    """The rows of an operand; the most that there can be where they do not end."""
    return 2**31 - 1 if stage.endless else row_count(value)


def _first_row(window: Window) -> str:
    first = "y" if window.stride == 1 else f"y * {window.stride}"
    return f"{first} {'-' if window.pad > 0 else '+'} {abs(window.pad)}" if window.pad else first
