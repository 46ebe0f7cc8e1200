"""An ESP-IDF component: the generated C, its build files, and an example application that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from string import Template

from tinyc.backends.c import CSource


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
    inputs = [f"{source.name}_in{k}" for k in range(len(source.inputs))]
    outputs = [f"{source.name}_out{k}" for k in range(len(source.outputs))]
    values = {
        "name": source.name,
        "upper": source.name.upper(),
        "version": version,
        "target": idf_target,
        "sources": sources,
        "buffers": "\n".join(
            f"static {port.c_type} {name}[{max(port.type.size, 1)}];"
            for name, port in zip([*inputs, *outputs], [*source.inputs, *source.outputs], strict=True)
        ),
        "arguments": ", ".join(["arena", *inputs, *outputs]),
        "input": inputs[0] if inputs else "",
        "output": outputs[0],
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


def _template(name: str) -> Template:
    return Template(
        resources.files("tinyc.backends.esp32").joinpath("templates", f"{name}.in").read_text(encoding="utf-8")
    )
