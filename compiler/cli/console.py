"""What the terminal shows: progress, tables and errors. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from tinyc.backends.targets import Target
from tinyc.compiler.base.files import shown
from tinyc.compiler.cli.accuracy import ONLY_CALIBRATION, evaluation, inputs_seen, integers
from tinyc.compiler.cli.flags import as_flags
from tinyc.compiler.cli.measured import time
from tinyc.compiler.cli.tables import grid, out
from tinyc.compiler.lowering import Lowered
from tinyc.compiler.session import Compilation

LARGEST_BUFFERS = 12
WORST_LAYERS = 5
_err = Console(stderr=True)


def error(message: str) -> None:
    """One error message, unadorned so that it can be searched for."""
    _err.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)


def trace(line: str) -> None:
    """One line of what a pass did."""
    _err.print(escape(line), soft_wrap=True, highlight=False)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What is being done, with a bar that fills where the text ends in "N of M"; nothing when quiet or when stderr is
    no terminal."""
    if quiet or not _err.is_terminal:
        yield lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20))
    with Progress(*columns, console=_err, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def say(text: str) -> None:
            counted = re.fullmatch(r"(.*): (\d+) of (\d+)", text)
            if counted:
                bar.update(task, description=escape(text), completed=int(counted[2]), total=int(counted[3]))
            else:
                bar.update(task, description=escape(text), completed=0, total=None)

        yield say


def _distance(ram: Mapping[str, Any]) -> str:
    """How far the arena is from the least one, as far as it is proven; per cent are rounded up."""
    size, bound = ram["arena_bytes"], ram["arena_lower_bound_bytes"]
    if size == bound:
        return "optimal"
    if bound == 0:
        return "no lower bound"
    tenths = -(-(size - bound) * 1000 // bound)
    return f"at most {tenths / 10:.1f} % over the least, {bound:,} or more"


def compilation(result: Compilation, folder: Path) -> None:
    """The short table that ends `tinyc compile`."""
    report = result.report
    table = grid()
    table.add_row("model", f"{report['model']} for {report['target']}")
    table.add_row("layers", str(len(report["layers"])))
    table.add_row("parameters", f"{report['parameters']:,}")
    table.add_row("MACs", f"{report['macs']:,}")
    ram = report["ram"]
    cores = report["cores"]
    if cores["used"] > 1:
        share = 100 * cores["shared_macs"] // max(report["macs"], 1)
        table.add_row(
            "cores", f"{cores['used']}, which share {len(cores['shared_layers'])} layers ({share} % of the MACs)"
        )
    if ram["psram_arena_bytes"]:
        table.add_row("arenas", f"{ram['arena_bytes']:,} bytes of internal RAM, {ram['psram_arena_bytes']:,} of PSRAM")
    else:
        table.add_row("arena", f"{ram['arena_bytes']:,} bytes ({_distance(ram)} for this schedule)")
    table.add_row("moved", _moved(ram["moved_bytes"]))
    if ram["other_arena_bytes"]:
        others = (f"{as_flags(f'`{option}`')} {size:,}" for option, size in ram["other_arena_bytes"].items())
        table.add_row("other arenas", escape(f"about {', '.join(others)} bytes"))
    table.add_row("input", f"{ram['input_bytes']:,} bytes, {INPUT_PLACES[_place(ram)]}")
    by_rows = ", images row by row to a callback" if "rows" in ram["output_place"].values() else ""
    table.add_row("output", f"{ram['output_bytes']:,} bytes{by_rows}")
    if ram["stack_bytes"] is not None:
        table.add_row("stack", f"{ram['stack_bytes']:,} bytes on {ram['stack_measured_on']}")
    table.add_row("weights", f"{report['flash']['weights_bytes']:,} bytes of flash")
    table.add_row("code", _code(report["code"]))
    if report["time"] is not None:
        table.add_row("time", time(report["time"]))
    table.add_row("verified", verification(result))
    accepted = result.lowered.quantisation.accepted if result.lowered.quantisation is not None else ()
    for note in (*result.notes, *accepted):
        table.add_row("note", escape(as_flags(note)))
    table.add_row("written to", escape(shown(folder)))
    out.print(table)
    memory_plan(ram)
    for layer in report["layers"]:
        if layer["operator"] == "transpose" and layer["inputs"] == [str(v.type) for v in result.program.inputs]:
            rank = result.program.inputs[0].type.rank
            taken = "nlc takes the signal sample by sample" if rank == 3 else "nhwc takes the image as cameras give it"
            hint = f"--input-layout {taken} and saves a transposed copy of"
            out.print(f"{hint} {layer['output_bytes']:,} bytes.", highlight=False)
    inputs_seen(report["input_ranges"])
    if "quantisation" in report:
        quantisation(report["quantisation"])
        if report["evaluation"] is None:
            out.print(ONLY_CALIBRATION, highlight=False)
    if report["evaluation"] is not None:
        evaluation(report["evaluation"], "data held back")
    interfaces(report["interface"]["alternatives"], report)


def _moved(found: Mapping[str, int]) -> str:
    """The bytes that an inference moves, by memory."""
    names = {"internal": "internal RAM", "psram": "PSRAM", "flash": "flash"}
    parts = [f"{size:,} in {names[memory]}" for memory, size in found.items() if size]
    return f"{', '.join(parts) or 'nothing'} (bytes an inference)"


def _code(code: Mapping[str, Any]) -> str:
    """What the C is tuned for, and what it takes and leaves for that."""
    paired = f", {code['paired_layers']} with two products a multiplication" if code["paired_layers"] else ""
    mac16 = f", {code['mac16_layers']} by MAC16" if code["mac16_layers"] else ""
    vectors = f", {code['vector_layers']} by vectors" if code["vector_layers"] else ""
    layers = f"{code['layers']} layers{paired}{mac16}{vectors}"
    return f"{code['functions']} functions for {layers} (--optimize {code['optimize']})"


def notes(lines: Iterable[str]) -> None:
    """What the user should know, on stderr."""
    for line in lines:
        _err.print(escape(f"note: {as_flags(line)}"), soft_wrap=True, highlight=False)


INPUT_PLACES = {
    "arena": "in the arena",
    "argument": "in memory of the caller",
    "rows": "row by row from a callback",
    "": "none",
}


def _place(ram: Mapping[str, Any]) -> str:
    """Where the inputs lie; rows when one of them comes by rows."""
    places = set(ram["input_place"].values())
    return "rows" if "rows" in places else next(iter(places), "")


def memory_plan(ram: Mapping[str, Any]) -> None:
    """The largest buffers of the arena: where they lie, and which layers touch them first and last."""
    buffers = sorted(ram["buffers"], key=lambda b: -b["bytes"])[:LARGEST_BUFFERS]
    if not buffers:
        return
    left = len(ram["buffers"]) - len(buffers)
    title = "memory plan" + (f" (the largest {len(buffers)} of {len(ram['buffers'])} buffers)" if left else "")
    table = Table("bytes", "at", "buffer", "rows kept", "layers", title=title, title_justify="left")
    for b in sorted(buffers, key=lambda b: (b["first_layer"], b["offset"])):
        first = "input" if b["first_layer"] < 0 else str(b["first_layer"])
        rows = str(b["rows"]) if b["rows_kept"] == b["rows"] else f"{b['rows_kept']} of {b['rows']}"
        at = f"{b['offset']}{' PSRAM' if b['memory'] == 'psram' else ''}"
        row = (f"{b['bytes']:,}", at, b["name"], rows, f"{first} to {b['last_layer']}")
        table.add_row(*(escape(text) for text in row))
    out.print(table)
    together = [f"{s['first']} to {s['last']}" for s in ram["segments"]]
    if together:
        out.print(f"row by row together: layers {', '.join(together)}", highlight=False)


def interfaces(found: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> None:
    """What each other type at the interface would cost, or save, that was tried."""
    if not found:
        return
    ram, flash = report["ram"], report["flash"]
    names = ("instructions", "arena", "outputs", "flash")
    table = Table("tried in its place", *names, title="other interfaces: more or less", title_justify="left")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for other in found:
        arena, outputs = other["arena_bytes"] - ram["arena_bytes"], other["output_bytes"] - ram["output_bytes"]
        bytes_ = other["weights_bytes"] - flash["weights_bytes"] + other["code_bytes_more_estimated"]
        steps = other["instructions_more_estimated"]
        cells = (f"about {steps:+,}", f"{arena:+,} bytes", f"{outputs:+,} bytes", f"about {bytes_:+,} bytes")
        table.add_row(as_flags(f"`{other['option']}={other['value']}`"), *cells)
    out.print(table)


def quantisation(found: Mapping[str, Any]) -> None:
    """What quantisation cost: accuracy, the worst layers and what stayed float."""
    table = grid()
    accuracy = found.get("accuracy")
    if accuracy is not None:
        change = 100 * (accuracy["int8"] - accuracy["float"])
        text = f"{accuracy['float']:.2%} float, {accuracy['int8']:.2%} int8 ({change:+.2f} points)"
        table.add_row("accuracy", f"{text}, on calibration data")
    if "inferences" in found:
        ratio = "equal" if found["output_sqnr_db"] is None else f"{found['output_sqnr_db']:.1f} dB over noise"
        agreed = found["top1_agreement"]
        same = f"same top class on {agreed:.1%} of " if agreed is not None else "on "
        table.add_row("outputs", f"{ratio}; {same}{found['inferences']} inputs")
    for port in (*found["inputs"], *found["outputs"]):
        note = f" ({port['note']})" if port["note"] else ""
        table.add_row(escape(port["name"]), escape(f"{port['type']}, real = {integers(port)}{note}"))
    raised = [layer["name"] for layer in found["layers"] if layer["type"] == "int16"]
    if raised:
        some = ", ".join(raised[:WORST_LAYERS]) + (", ..." if len(raised) > WORST_LAYERS else "")
        table.add_row("int16", escape(f"{len(raised)} of {len(found['layers'])} layers: {some}"))
    for left in found["float_operators"]:
        count = left.get("estimated_instructions")
        cost = f" (about {count:,} instructions)" if count else ""
        table.add_row("stays float", escape(f"{left['name']}: {left['reason']}{cost}"))
    out.print(table)
    layer_table(found["layers"][:WORST_LAYERS], f"worst {min(WORST_LAYERS, len(found['layers']))} layers")


def layer_table(layers: Sequence[Mapping[str, Any]], title: str) -> None:
    """Layers with what quantisation cost them."""
    table = Table("layer", "operator", "SQNR dB", "range seen", "clipped", title=title, title_justify="left")
    for layer in layers:
        ratio = "equal" if layer["sqnr_db"] is None else f"{layer['sqnr_db']:.1f}"
        low, high = layer["seen"]
        row = (layer["name"], layer["op"], ratio, f"{low:.4g} to {high:.4g}", f"{layer['clipped']:.2%}")
        table.add_row(*(escape(text) for text in row))
    out.print(table)


def quantised_layers(document: Mapping[str, Any]) -> None:
    """What `tinyc quantize` tells."""
    out.print(f"written to {escape(document['written'])}", highlight=False)
    for name, found in document["accuracy"].items():
        evaluation(found, name)
    if len(document["accuracy"]) < 2:
        out.print(ONLY_CALIBRATION, highlight=False)
    layer_table(document["layers"][:WORST_LAYERS], "worst layers first")


def verification(result: Compilation) -> str:
    """What was verified and how closely, in one or two lines."""
    compared = sum(p.max_abs_error is not None for p in result.lowered.records)
    lines = []
    if compared:
        lines.append(f"all {compared} passes before against after, and against {result.reference}:")
    if result.lowered.quantised is not None and result.verdicts:
        lines[-1:] = [f"all {compared} passes before against after; the C equals the interpreter bit for bit"]
        return "\n".join([*lines, *_witness(result.lowered)])
    lines += [f"{v.executor}: largest difference {v.max_abs_error:.2g}" for v in result.verdicts]
    return "\n".join([*lines, *_witness(result.lowered)]) or "not verified"


def _witness(lowered: Lowered) -> list[str]:
    """What of a quantised network was held against its definition."""
    found, lines = lowered.witnessed, []
    if lowered.quantisation is not None:
        lines.append(f"weights and biases of {lowered.quantisation.layers} layers against the float model")
    if found is not None and found.layers:
        what = "their definition" if found.reference is None else "the QDQ model in onnxruntime"
        lines.append(f"constants of {found.constants} layers against their scales")
        lines.append(f"{found.layers} integer layers within {found.steps:.2f} steps of {what}, on the same integers")
    if found is not None and found.left:
        lines.append(f"{len(found.left)} integer operators without a definition to hold them against")
    return lines


def inspection(document: Mapping[str, Any]) -> None:
    """The table of `tinyc inspect`."""
    table = grid()
    table.add_row("model", escape(document["model"]))
    table.add_row(
        "producer",
        escape(f"{document['producer'] or 'unknown'}, opset {document['opset']}, {document['nodes']} nodes"),
    )
    for kind in ("inputs", "outputs"):
        for port in document[kind]:
            shape = "?" if port["shape"] is None else ", ".join(str(d) for d in port["shape"])
            table.add_row(kind[:-1], escape(f"{port['name']}: {port['type']}[{shape}]"))
    table.add_row("parameters", f"{document['parameters']:,}")
    if document["macs"] is not None:
        table.add_row("MACs", f"{document['macs']:,}")
    names = {u["operator"] for u in document["unsupported"]}
    for operator, count in document["operators"].items():
        table.add_row(
            "operator",
            escape(f"{operator} x {count}") + (" [bold red](unsupported)[/]" if operator in names else ""),
        )
    if document["unsupported"]:
        listed = ", ".join(f"{u['operator']} (node {u['node']})" for u in document["unsupported"])
        table.add_row("unsupported", escape(listed))
    elif document["problem"]:
        table.add_row("problem", escape(document["problem"]))
    else:
        table.add_row("supported", "all operators")
    out.print(table)


def outputs(document: Mapping[str, Any]) -> None:
    """The table of `tinyc run`."""
    table = grid()
    table.add_row("ran", f"{document['inferences']} inference(s) on {document['on']}")
    for name, found in document["outputs"].items():
        indices = ", ".join(map(str, found["argmax"][:10])) + (", ..." if len(found["argmax"]) > 10 else "")
        text = f"{found['type']}{found['shape']}, from {found['min']} to {found['max']}, largest at {indices}"
        table.add_row(escape(name), escape(text))
    out.print(table)


def verdicts(document: Mapping[str, Any]) -> None:
    """The table of `tinyc verify`."""
    table = grid()
    for found in document["executors"]:
        if found["passed"]:
            worst = found["max_abs_error"]
            text = f"agrees with {found['against']} on {found['samples']} sample(s), largest difference {worst:.3g}"
        else:
            text = f"DIFFERS: {found['first_difference']}"
        table.add_row(found["executor"], escape(text))
    out.print(table)


def dump(document: Mapping[str, Any]) -> None:
    """What `tinyc compare-dump` tells."""
    table = grid()
    table.add_row("model", escape(f"{document['model']}, program {document['program']}"))
    for note in document["notes"]:
        table.add_row("note", escape(as_flags(note)))
    for number, found in enumerate(document["inferences"], 1):
        differs = found["input_difference"] or found["first_difference"]
        state = "" if found["passed"] else "DIFFERS: " if differs else "INCOMPLETE: "
        table.add_row(f"inference {number}", escape(state + found["summary"]))
    out.print(table)


def listing(items: Mapping[str, str], as_json: bool, print_json: Callable[[Any], None]) -> None:
    """Names with a line of purpose each."""
    if as_json:
        print_json([{"name": name, "purpose": purpose} for name, purpose in items.items()])
        return
    table = grid()
    for name, purpose in items.items():
        table.add_row(escape(name), escape(purpose))
    out.print(table)


def targets(found: Iterable[Target]) -> None:
    """What each target has."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("target", style="bold", no_wrap=True)
    for heading in ("instructions", "cores", "FPU", "SIMD"):
        table.add_column(heading, no_wrap=True)
    for heading in ("RAM", "static", "PSRAM", "flash"):
        table.add_column(heading, justify="right", no_wrap=True)
    for t in found:
        memories = [_kilobytes(b) for b in (t.ram_bytes, t.static_bytes, t.psram_bytes, t.flash_bytes)]
        table.add_row(t.name, t.isa, str(t.cores), "yes" if t.fpu else "no", t.simd or "-", *memories)
    out.print(table)
    out.print("PSRAM: the most that the chip can address. --json has all of it, a .toml file may say otherwise.")


def _kilobytes(size: int) -> str:
    """A size of memory in KB, of 1,024 bytes, or MB where it is whole ones; a dash for none."""
    if not size:
        return "-"
    return f"{size >> 20} MB" if size % (1 << 20) == 0 else f"{size // 1024} KB"
