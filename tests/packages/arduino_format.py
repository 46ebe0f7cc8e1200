"""Whether a folder is an Arduino library: the 1.5 format, revision 2.2, of Arduino's library specification, and the
further rules of its Library Manager."""

from __future__ import annotations

import re
from pathlib import Path

CATEGORIES = (
    "Display",
    "Communication",
    "Signal Input/Output",
    "Sensors",
    "Device Control",
    "Timing",
    "Data Storage",
    "Data Processing",
    "Other",
)
REQUIRED = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures")
OPTIONAL = ("depends", "dot_a_linkage", "includes", "precompiled", "ldflags", "license", "email")
KEYWORDS = ("KEYWORD1", "KEYWORD2", "KEYWORD3", "LITERAL1", "LITERAL2")


def problems(folder: Path) -> list[str]:
    """What is wrong with a library; nothing if it is one."""
    found: list[str] = []
    properties = folder / "library.properties"
    if not properties.is_file():
        return ["there is no library.properties"]
    values: dict[str, str] = {}
    for number, line in enumerate(properties.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            key, equals, value = line.partition("=")
            if not equals or key != key.strip() or key in values:
                found.append(f"library.properties:{number}: not key=value, or the key is there twice")
            values[key] = value
    found += [f"{key} is missing" for key in REQUIRED if not values.get(key, "").strip()]
    found += [f"{key} is no field" for key in values if key not in (*REQUIRED, *OPTIONAL)]
    found += _fields(values) + _files(folder, values)
    return found


def _fields(values: dict[str, str]) -> list[str]:
    found = []
    name = values.get("name", "")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", name) or not re.search("[A-Za-z]", name):
        found.append(
            f"name {name!r}: up to 63 letters, digits, spaces, _ . -, with a letter, not beginning with a sign"
        )
    if name.lower().startswith("arduino"):
        found.append(f"name {name!r}: names beginning with Arduino are Arduino's own")
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", values.get("version", "")):
        found.append(f"version {values.get('version')!r} is no semantic version")
    if values.get("category") not in CATEGORIES:
        found.append(f"category {values.get('category')!r} is none of {', '.join(CATEGORIES)}")
    if not re.fullmatch(r"https?://[a-z0-9.-]+\.[a-z]+(/\S*)?", values.get("url", "")):
        found.append(f"url {values.get('url')!r} is no address")
    if not re.fullmatch(r"\*|[a-z0-9_]+(,[a-z0-9_]+)*", values.get("architectures", "")):
        found.append(f"architectures {values.get('architectures')!r}")
    if not values.get("sentence", "").endswith(".") or len(values.get("sentence", "")) > 120:
        found.append("sentence: one short sentence with a full stop")
    if values.get("sentence") == values.get("paragraph"):
        found.append("paragraph says what sentence says")
    return found


def _files(folder: Path, values: dict[str, str]) -> list[str]:
    found = []
    source = folder / "src"
    if not source.is_dir():
        return ["there is no src/: the format 1.0 compiles the top folder"]
    if (folder / "utility").exists():
        found.append("utility/ beside src/ is of the format 1.0")
    for header in filter(None, values.get("includes", "").split(",")):
        if not (source / header.strip()).is_file():
            found.append(f"includes={header}, which is not in src/")
    found += [
        f"{p.name} beside src/ would not be compiled"
        for p in folder.glob("*.[ch]*")
        if p.suffix in (".c", ".h", ".cpp")
    ]
    examples = folder / "examples"
    for example in sorted(examples.iterdir()) if examples.is_dir() else []:
        if not (example / f"{example.name}.ino").is_file():
            found.append(f"examples/{example.name} has no {example.name}.ino")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", example.name):
            found.append(f"examples/{example.name}: not a name for a sketch")
    found += [f"{p.relative_to(folder)}: an executable file" for p in folder.rglob("*.exe")]
    found += [f"{p.relative_to(folder)}: a symbolic link" for p in folder.rglob("*") if p.is_symlink()]
    keywords = folder / "keywords.txt"
    for number, line in enumerate(keywords.read_text().splitlines() if keywords.is_file() else [], 1):
        word, *kind = line.split("\t")
        if (
            line
            and not line.startswith("#")
            and (not re.fullmatch(r"\w+", word) or kind != [kind and kind[0]] or kind[0] not in KEYWORDS)
        ):
            found.append(f"keywords.txt:{number}: not a word, one tab and one of {', '.join(KEYWORDS)}")
    return found
