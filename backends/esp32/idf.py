"""An ESP-IDF component: the generated C, its build files, and an example application that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from string import Template

from tinyc.backends.c import CPort, CSource


def idf_component(source: CSource, idf_target: str, version: str) -> Mapping[str, str]:
    """The files of a component, by path relative to the component's folder.

    Args:
        source: the generated C.
        idf_target: the chip as ESP-IDF spells it (`idf.py set-target`).
        version: the component's version, from the tool's.
    """
    files = {}
    for name, content in source.files.items():
        public = name == f"{source.name}.h"
        files[f"{'include' if public else 'src'}/{name}"] = content
    sources = " ".join(f'"src/{n}"' for n in source.files if n.endswith(".c"))
    held = {p.name: f"{source.name}_{p.name}(arena)" for p in source.inputs if p.place == "arena"}
    rows = next((p for p in source.inputs if p.place == "rows"), None)
    buffers = [p for p in (*source.inputs, *source.outputs) if p.place == "argument"]
    names = {p.name: f"{source.name}_{p.name}" for p in buffers}
    fill = [f"    {p.c_type} *const {p.name} = {held[p.name]};" for p in source.inputs if p.name in held]
    fill += [f"    memset({p.name}, 0, {p.macro}_BYTES);" for p in source.inputs if p.name in held]
    values = {
        "name": source.name,
        "upper": source.name.upper(),
        "version": version,
        "target": idf_target,
        "sources": sources,
        "buffers": "\n".join(f"static {p.c_type} {names[p.name]}[{max(p.type.size, 1)}];" for p in buffers),
        "callback": _callback(source, rows) if rows else "",
        "fill": "".join(f"{line}\n" for line in fill),
        "arguments": ", ".join(["arena", *(["next_row", "NULL"] if rows else []), *names.values()]),
        "input": "next_row" if rows else next((p.name if p.name in held else names[p.name] for p in source.inputs), ""),
        "output": names[source.outputs[0].name],
        "outputs": str(max(source.outputs[0].type.size, 1)),
    }
    for name in ("CMakeLists.txt", "idf_component.yml", "README.md"):
        files[name] = _template(name).substitute(values)
    example = f"examples/{source.name}_example"
    files[f"{example}/CMakeLists.txt"] = _template("example_CMakeLists.txt").substitute(values)
    files[f"{example}/main/CMakeLists.txt"] = _template("example_main_CMakeLists.txt").substitute(values)
    files[f"{example}/main/idf_component.yml"] = _template("example_main_idf_component.yml").substitute(values)
    files[f"{example}/main/main.c"] = _template("example_main.c").substitute(values)
    return files


def _callback(source: CSource, rows: CPort) -> str:
    """The function that the example gives rows by."""
    elements = rows.type.shape[2] * rows.type.shape[3]
    return (
        f"\n/* Writes row y of the image. A camera would write its line here. */\n"
        f"static void next_row(void *user, int y, {rows.c_type} *row)\n"
        f"{{\n    (void)user;\n    (void)y;\n    memset(row, 0, {elements} * sizeof *row);\n}}\n"
    )


def _template(name: str) -> Template:
    return Template(
        resources.files("tinyc.backends.esp32").joinpath("templates", f"{name}.in").read_text(encoding="utf-8")
    )
