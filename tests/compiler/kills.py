"""Kills rewrites of an output folder at random moments, and looks at what is left.

    python -m tests.compiler.kills --kills 2000
    python -m tests.compiler.kills --every-step

A child process rewrites a folder over and over, by turns with two contents; it is killed by SIGKILL, SIGTERM or SIGINT
after a random time. Then the folder must hold one of the two whole: at once where the new folder changes places with
the old one, and after the next run's first step where files are replaced within it. After the next rewrite there must
be nothing beside it.

With --every-step, a child kills itself before the first thing that it asks of the operating system, the next before the
second, and so on until one comes to its end: no moment is left to chance.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NoReturn

from tinyc.compiler.base.output import MARKER, check_folder, write_folder

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FILES = {
    side: {f"{side if number % 3 else 'both'}/{number}.c": f"{side}{number}\n" * 200 for number in range(12)}
    for side in ("one", "two")
}


def rewrite_for_ever(folder: Path, way: str, ready: int) -> NoReturn:
    """What the child does. It does not come back: an interrupt ends it with status 130, anything else with 1."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if way == "within":
            os.chdir(folder)
        os.write(ready, b"!")
        while True:
            for files in FILES.values():
                write_folder(folder, files)
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def whole(folder: Path) -> str:
    """Which of the two contents the folder holds. Raises AssertionError for anything else."""
    found = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    found.pop(MARKER, None)
    sides = [side for side, files in FILES.items() if files == found]
    assert sides, f"neither content: {sorted(found)}"
    return sides[0]


def inspect(place: Path, way: str) -> str:
    """What a killed child left, after all that may be asked of it. Raises AssertionError."""
    folder = place / "out"
    if way == "within":
        check_folder(folder)
    left = whole(folder)
    assert {p.name for p in folder.iterdir()} == {MARKER, "both", left}, "no litter within"
    write_folder(folder, FILES["two"])
    assert whole(folder) == "two"
    assert list(place.iterdir()) == [folder], "no litter beside it"
    return left


def kill_once(place: Path, way: str, chance: random.Random) -> tuple[str, str]:
    """One child, killed: by what, and what was left."""
    folder = place / "out"
    start = time.perf_counter()
    write_folder(folder, FILES["one"])
    once = time.perf_counter() - start
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        rewrite_for_ever(folder, way, say)
    os.close(say)
    ready = os.read(hear, 1)
    os.close(hear)
    assert ready, "the child ended by itself"
    number = chance.choice(SIGNALS)
    time.sleep(chance.uniform(0.0, 4 * once))
    os.kill(child, number)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == (130 if number == signal.SIGINT else -number), status
    return signal.Signals(number).name, inspect(place, way)


def kill_at_step(place: Path, way: str, step: int) -> tuple[bool, str]:
    """A child that is killed before its step of that number, from 0: whether it was, and what was left."""
    folder = place / "out"
    write_folder(folder, FILES["one"])
    child = os.fork()
    if child == 0:
        rewrite_until(folder, way, step)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0, inspect(place, way)


def rewrite_until(folder: Path, way: str, step: int) -> NoReturn:
    """What such a child does."""
    status, steps = 1, 0

    def count(event: str, arguments: object) -> None:
        nonlocal steps
        if event != "os.kill" and (event == "open" or event.startswith(("os.", "ctypes.call"))):
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1

    try:
        if way == "within":
            os.chdir(folder)
        sys.addaudithook(count)
        write_folder(folder, FILES["two"])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def kill_everywhere(way: str, place: Path) -> Counter[str]:
    """How often each content was left over all steps of a rewrite. Raises AssertionError at one that left neither."""
    found: Counter[str] = Counter()
    step = 0
    while True:
        killed, left = kill_at_step(place, way, step)
        if not killed:
            assert left == "two", "the child has come to its end"
            return found
        found[left] += 1
        step += 1


def kill_many(kills: int, way: str, seed: int, place: Path) -> Counter[tuple[str, str]]:
    """How often each signal left each content. Raises AssertionError at the first that left neither."""
    chance = random.Random(seed)
    return Counter(kill_once(place, way, chance) for _ in range(kills))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every-step", action="store_true")
    given = parser.parse_args()
    for way in ("beside", "within"):
        with tempfile.TemporaryDirectory() as place:
            if given.every_step:
                for left, times in sorted(kill_everywhere(way, Path(place)).items()):
                    print(f"{way}: killed before {times} steps, which left content {left!r}", flush=True)
                continue
            for (name, left), times in sorted(kill_many(given.kills // 2, way, given.seed, Path(place)).items()):
                print(f"{way}: {name} left content {left!r} {times} times", flush=True)


if __name__ == "__main__":
    main()
