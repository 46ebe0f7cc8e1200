#!/usr/bin/env python3
"""Set up this checkout and run its demo, tests and checks.

usage: python3 scripts/dev.py COMMAND [ARGUMENTS]

  setup            make .venv with everything needed to work on tinyc
  demo [ARGS]      run the demo (examples/mobile_lenet/demo.py)
  test [ARGS]      install missing compilers and simulators, run all tests; ARGS go to pytest
  quick [ARGS]     run the tests that find the most in a minute, of every layer; ARGS go to pytest
  check [--static] lint, formatting, types, then the quick tests (--static: without the tests)
  format           let ruff fix and format the sources

Whatever is missing is installed first: Python packages into .venv, compilers and simulators
through apt-get where there is one (with sudo when not root).
"""

# This is the first file that runs on a new machine: standard library only, and nothing that a
# Python too old for tinyc could not parse, so that even there the message is a clear one.

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON = (3, 10)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "tinyc-setup.stamp"
DEMO = Path("examples", "mobile_lenet", "demo.py")
LINKS = {
    "examples/camera_rows/camera_rows.h": "../../backends/packages/camera_rows.h",
    "tinyc/backends": "../backends",
    "tinyc/compiler": "../compiler",
    "tinyc/ir": "../ir",
    "tinyc/passes": "../passes",
}
"""The symbolic links of the checkout, and where they lead."""


class Failure(Exception):
    """Ends the run with a message and an exit status, without a traceback."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


# ---------------------------------------------------------------------------------- running commands


def say(text: str) -> None:
    """Print one line of progress, ahead of whatever the next command prints."""
    print(f"==> {text}", flush=True)


def status_of(command: list[str]) -> int:
    """Run a command in the checkout, in plain sight; return its exit status as a shell would."""
    print("  $ " + " ".join(command), flush=True)
    try:
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error.strerror}", 127) from None
    return status if status >= 0 else 128 - status


def run(command: list[str], failed: str) -> None:
    """Run a command in plain sight; fail with its exit status."""
    status = status_of(command)
    if status:
        raise Failure(f"{failed} (exit status {status}: {' '.join(command)})", status)


def quiet(command: list[str]) -> tuple[int, str]:
    """Run a command unseen; return its exit status and all it printed."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def works(*command: str) -> bool:
    """Tell whether a command exists and succeeds."""
    return quiet(list(command))[0] == 0


# ------------------------------------------------------------------------- the distribution's packages


@dataclass(frozen=True)
class Tool:
    """Something the distribution provides."""

    packages: tuple[str, ...]
    """The package that holds it; where distributions differ, the first they know is taken."""
    probe: tuple[str, ...]
    """A command that succeeds only when it is there."""

    def present(self) -> bool:
        """Tell whether it is installed, from the distribution or otherwise."""
        return works(*self.probe)

    @property
    def name(self) -> str:
        """What to tell people to install."""
        return " or ".join(self.packages)


READ_HEADER = ("-E", "-x", "c", "-include", "stdio.h", os.devnull)
NOTHING = ("-x", "c", os.devnull, "-o", os.devnull, "-Wl,--defsym=main=0")
RISCV_GCC = "riscv64-unknown-elf-gcc"
XTENSA_GCC = "xtensa-lx106-elf-gcc"

HOST_C = (
    Tool(("gcc",), ("gcc", "--version")),
    Tool(("libc6-dev",), ("gcc", *READ_HEADER)),
)
TEST_TOOLS = (
    *HOST_C,
    Tool(("g++",), ("g++", "--version")),
    Tool(("clang",), ("clang", "--version")),
    # clang keeps the runtime of its sanitisers apart; what links nothing but that shows whether it is there.
    Tool(("libclang-rt-dev",), ("clang", "-fsanitize=address,undefined", *NOTHING)),
    Tool(("make",), ("make", "--version")),
    Tool(("cmake",), ("cmake", "--version")),
    Tool(("gcc-riscv64-unknown-elf",), (RISCV_GCC, "--version")),
    Tool(("picolibc-riscv64-unknown-elf",), (RISCV_GCC, "--specs=picolibc.specs", *READ_HEADER)),
    Tool(("qemu-system-riscv", "qemu-system-misc"), ("qemu-system-riscv32", "--version")),
    Tool(("gcc-xtensa-lx106",), (XTENSA_GCC, "--version")),
    Tool(("picolibc-xtensa-lx106-elf",), (XTENSA_GCC, *READ_HEADER)),
    Tool(("qemu-system-misc",), ("qemu-system-xtensa", "--version")),
)


def missing(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """The tools among these that are not installed."""
    return tuple(tool for tool in tools if not tool.present())


def as_root() -> list[str] | None:
    """How to start a command as root; None when that is not possible here."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        if works("sudo", "-n", "true"):
            return ["sudo", "-n"]
        if sys.stdin is not None and sys.stdin.isatty():
            return ["sudo"]
    return None


package_lists_are_fresh = False  # `apt-get update` once in a run


def apt_install(tools: tuple[Tool, ...]) -> str:
    """Install the packages of these tools; return what went wrong, or an empty string."""
    global package_lists_are_fresh
    if not shutil.which("apt-get"):
        return "there is no apt-get here"
    root = as_root()
    if root is None:
        return "apt-get needs root, and sudo is not there or would ask for a password"

    def apt_get(*arguments: str) -> str:
        options = ["-qq", "-o", "DPkg::Lock::Timeout=300"]
        command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *options, *arguments]
        print("  $ " + " ".join(command), flush=True)
        status, output = quiet(command)
        if status == 0:
            return ""
        print(output.rstrip(), flush=True)
        return f"apt-get {arguments[0]} failed with exit status {status}"

    if root == ["sudo"]:
        say("apt-get needs root: sudo may ask for your password")
        if status_of(["sudo", "-v"]) != 0:
            return "apt-get needs root, and sudo was refused"
    problem = ""
    if not package_lists_are_fresh:
        problem = apt_get("update")  # when it fails, older lists may still serve
        package_lists_are_fresh = True
    packages, unknown = [], []
    for tool in tools:
        known = [name for name in tool.packages if "Package:" in quiet(["apt-cache", "show", name])[1]]
        if known:
            packages.append(known[0])
        else:
            unknown.append(tool.name)
    if packages:
        slow = " (a minute, 1.3 GB on disk)" if "gcc-riscv64-unknown-elf" in packages else ""
        say(f"installing {', '.join(packages)}{slow}")
        problem = apt_get("install", "--yes", "--no-install-recommends", *packages)
    if unknown:
        problem = problem or f"apt-get knows no package {', '.join(unknown)}"
    return problem


def provide(tools: tuple[Tool, ...]) -> str:
    """Install what is missing; return a sentence that names what still is, or an empty string."""
    absent = missing(tools)
    if not absent:
        return ""
    say(f"missing: {', '.join(tool.name for tool in absent)}")
    problem = apt_install(absent)
    absent = missing(absent)
    if not absent:
        return ""
    names = ", ".join(tool.name for tool in absent)
    return f"not installed: {names} ({problem or 'though apt-get succeeded'})"


# ------------------------------------------------------------------------------ the Python environment


def make_venv() -> None:
    """Make .venv, with the distribution's venv package if Python's own is incomplete."""
    say(f"making .venv with Python {sys.version.split()[0]}")
    create = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    status, output = quiet(create)
    if status != 0 and not works(sys.executable, "-c", "import ensurepip"):
        # Debian and Ubuntu split ensurepip off, one package for each version of Python.
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        problem = provide((Tool((package,), (sys.executable, "-c", "import ensurepip")),))
        if problem:
            raise Failure(f"cannot make .venv without {package}: {problem}")
        status, output = quiet(create)
    if status != 0:
        print(output.rstrip(), flush=True)
        raise Failure(f"cannot make .venv (exit status {status}: {' '.join(create)})", status)


def prepare(extra: str = "") -> None:
    """Make .venv hold tinyc, editable, with an extra's packages; do nothing when it already does."""
    key = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    usable = works(str(PYTHON), "-c", f"import pip, sys; sys.exit(sys.version_info < {OLDEST_PYTHON})")
    if usable and STAMP.is_file():
        stamp = STAMP.read_text(encoding="ascii").split()
        if stamp[:1] == [key] and (not extra or extra in stamp[1:]):
            return
    if not usable:
        make_venv()
    STAMP.unlink(missing_ok=True)
    say("installing tinyc and its Python packages into .venv (a minute or two the first time)")
    what = f".[{extra}]" if extra else "."
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*install, "--editable", what], "pip could not install the packages")
    STAMP.write_text(f"{key} {extra}\n", encoding="ascii")


# ---------------------------------------------------------------------------------------- symbolic links


def mend_links() -> None:
    """Make the links that version control has not made: it wrote where they lead into small files instead."""
    files = [name for name in LINKS if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]
    broken = [name for name in files if (ROOT / name).read_bytes().strip() == LINKS[name].encode()]
    if not broken:
        return
    say(f"making symbolic links of {', '.join(broken)}")
    for name in broken:
        path, target = ROOT / name, LINKS[name]
        path.unlink()
        try:
            os.symlink(target, path, target_is_directory=(path.parent / target).is_dir())
        except OSError as error:
            path.write_text(target, encoding="ascii")
            hint = "tinyc runs, mypy does not find it; on Windows turn developer mode on"
            say(f"no symbolic links here ({error.strerror}): {hint}")
            return
    if quiet(["git", "config", "core.symlinks"])[1].strip() == "false":
        quiet(["git", "config", "core.symlinks", "true"])


# ------------------------------------------------------------------------------------------- commands


def setup(arguments: list[str]) -> int:
    """The development environment."""
    refuse("setup", arguments)
    prepare("dev")
    say("ready: .venv holds tinyc and the development tools")
    return 0


def demo(arguments: list[str]) -> int:
    """The demo, which compiles C for this machine."""
    problem = provide(HOST_C)
    if problem and not works("cc", *READ_HEADER):
        raise Failure(f"the demo needs a C compiler; {problem}")
    prepare()
    run([str(PYTHON), str(DEMO), *arguments], "the demo failed")
    return 0


def test(arguments: list[str]) -> int:
    """All tests."""
    problem = provide(TEST_TOOLS)
    prepare("dev")
    if problem:
        say(f"{problem}; the tests that need these are skipped")
    say("running the tests")
    return pytest(arguments)


def quick(arguments: list[str]) -> int:
    """The quick tests: those that tests/quick.py chooses."""
    prepare("dev")
    absent = missing(TEST_TOOLS)
    if absent:
        say(f"not installed: {', '.join(tool.name for tool in absent)}; tests that need these are skipped")
    say("running the quick tests")
    return pytest(["-m", "quick", *arguments])


def check(arguments: list[str]) -> int:
    """Static checks, all of them even if one fails; then the quick tests."""
    static_only = arguments == ["--static"]
    if not static_only:
        refuse("check", arguments)
    prepare("dev")
    failures = []
    for name, *options in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        say(" ".join((name, *options)))
        status = status_of([str(PYTHON), "-m", name, *options])
        if status:
            failures.append((" ".join((name, *options)), status))
    if failures:
        raise Failure(f"failed: {', '.join(name for name, _ in failures)}", failures[0][1])
    return 0 if static_only else quick([])


def format_sources(arguments: list[str]) -> int:
    """Everything ruff can put right by itself."""
    refuse("format", arguments)
    prepare("dev")
    run([str(PYTHON), "-m", "ruff", "format"], "ruff could not format")
    run([str(PYTHON), "-m", "ruff", "check", "--fix"], "ruff found what it cannot fix")
    run([str(PYTHON), "-m", "ruff", "format"], "ruff could not format")
    return 0


def pytest(arguments: list[str]) -> int:
    """Run pytest on all processors; its summary is the last word, so nothing is printed after it. Neighbouring tests
    stay on one processor while all are busy: they share what they have compiled."""
    return status_of([str(PYTHON), "-m", "pytest", "-n", "auto", "--dist", "worksteal", *arguments])


def refuse(command: str, arguments: list[str]) -> None:
    """Refuse arguments to a command that takes none."""
    if arguments:
        raise Failure(f"{command} does not take: {' '.join(arguments)}", 2)


COMMANDS = {"setup": setup, "demo": demo, "test": test, "quick": quick, "check": check, "format": format_sources}


def main(argv: list[str]) -> int:
    """Run one command and return the exit status."""
    try:
        if not argv or argv[0] in ("-h", "--help", "help"):
            print((__doc__ or "").strip(), flush=True)
            return 0 if argv else 2
        if sys.version_info < OLDEST_PYTHON:
            this, oldest = sys.version.split()[0], ".".join(map(str, OLDEST_PYTHON))
            raise Failure(f"tinyc needs Python {oldest} or newer; {sys.executable} is {this}")
        if argv[0] not in COMMANDS:
            raise Failure(f"no command {argv[0]}; there are {', '.join(COMMANDS)}", 2)
        mend_links()
        return COMMANDS[argv[0]](argv[1:])
    except Failure as failure:
        print(f"dev.py: {failure}", file=sys.stderr, flush=True)
        return failure.status
    except OSError as error:
        print(f"dev.py: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("dev.py: interrupted", file=sys.stderr, flush=True)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
