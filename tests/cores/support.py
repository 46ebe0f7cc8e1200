"""What the tests of two cores share."""

from __future__ import annotations

import dataclasses
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tinyc.ir.rows import RowProgram, whole_because

STUBS = Path(__file__).parent / "stubs"
FREERTOS = ("-DESP_PLATFORM", f"-I{STUBS}")
"""Options that take the stub for the FreeRTOS of ESP-IDF."""
THREADS = ("-fsanitize=thread", "-fno-sanitize-recover=all")
"""Options of the sanitiser that sees races."""


@cache
def _problem(compiler: str) -> str:
    """Why programs with the thread sanitiser cannot be built and run here; empty when they can."""
    text = "int main(void) { return 0; }\n"
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/empty"
        command = [compiler, *THREADS, "-x", "c", "-", "-o", program]
        for arguments in (command, [program]):
            result = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
            if result.returncode:
                return f"{compiler} has no thread sanitiser that runs here: {result.stderr.splitlines()[-1:]}"
    return ""


def need_threads(compiler: str) -> None:
    """Skips the test where races cannot be seen."""
    if _problem(compiler):
        pytest.skip(_problem(compiler))


def split_all(program: RowProgram) -> RowProgram:
    """The program with every stage split that can be, however light."""
    alone = {segment.first for segment in program.order if not segment.streams}
    stages = []
    for number, stage in enumerate(program.stages):
        split = dataclasses.replace(stage, split=2)
        stages.append(split if number in alone and not whole_because(program, split) else stage)
    return dataclasses.replace(program, stages=tuple(stages))
