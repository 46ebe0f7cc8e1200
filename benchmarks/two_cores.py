"""How much faster two cores are than one, on this computer.

    python -m benchmarks.two_cores [--pairs 10] [--ram BYTES] [--json]

MobileNetV1 0.25 for 224x224 pixels in int8 is compiled twice: for one core, as the fastest schedule without a limit of
memory, and for two (with `--ram`, within so many bytes of arena). Both run in one program, by turns, so that what else
the computer does meets both alike. A pair is the time of some inferences on one core and then of as many on two; its
ratio is one speed-up, and the median of the ratios is the figure. The results of both must be equal bit for bit. The
two threads are pinned to a core each, as the tasks of a microcontroller are, and where this user may have real-time
priority they have it: on a computer that is busy otherwise, figures without it mean little. For Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx

from benchmarks.networks import mobilenet_v1
from tinyc.backends.c import CSource
from tinyc.backends.runners import MissingTool
from tinyc.backends.runners.host import find_compiler
from tinyc.backends.runners.runner import FLAGS
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import api
from tinyc.ir.errors import TinycError

RESOLUTION = 224
UNLIMITED = 1 << 30
"""Bytes of arena: more than any schedule of these networks takes."""
INFERENCES = 5
"""Inferences of one measurement."""
CALIBRATION = 4
"""Random inputs for calibration: how long an inference takes does not depend on their values."""

MAIN = """
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "one.h"
#include "two.h"

static unsigned char arena_one[ONE_ARENA_BYTES] __attribute__((aligned(64)));
static unsigned char arena_two[TWO_ARENA_BYTES] __attribute__((aligned(64)));
static signed char image[ONE_INPUT_BYTES], output_one[ONE_OUTPUT_BYTES], output_two[TWO_OUTPUT_BYTES];

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int pin(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    return sched_setaffinity(0, sizeof cores, &cores) == 0;
}

static double on_one_core(int inferences)
{
    const double start = seconds();
    for (int k = 0; k < inferences; ++k) {
        one_run(arena_one, image, output_one);
    }
    return (seconds() - start) / inferences;
}

static double on_two_cores(int inferences)
{
    const double start = seconds();
    for (int k = 0; k < inferences; ++k) {
        two_run(arena_two, image, output_two);
    }
    return (seconds() - start) / inferences;
}

int main(int count, char **arguments)
{
    const struct sched_param priority = {.sched_priority = 10};
    const int pairs = count > 1 ? atoi(arguments[1]) : 10, inferences = count > 2 ? atoi(arguments[2]) : 5;
    for (size_t k = 0; k < sizeof image; ++k) {
        image[k] = (signed char)(k * 2654435761u >> 13);
    }
    /* A thread begins with the core and the priority of the one that starts it. */
    printf("%d\\n", sched_setscheduler(0, SCHED_FIFO, &priority) == 0);
    if (!pin(1) || !two_cores_start() || !pin(0)) {
        return 2;
    }
    on_one_core(1);
    on_two_cores(1);
    for (int k = 0; k < pairs; ++k) {
        const double one = on_one_core(inferences);
        const double two = on_two_cores(inferences);
        printf("%.9f %.9f\\n", one, two);
    }
    return memcmp(output_one, output_two, sizeof output_one) == 0 ? 0 : 3;
}
"""


@dataclass(frozen=True)
class Result:
    """Seconds of one inference on one core and on two, pair by pair; the arenas, in bytes; and whether the program had
    real-time priority."""

    pairs: tuple[tuple[float, float], ...]
    arena_bytes: tuple[int, int]
    real_time: bool

    @property
    def ratios(self) -> list[float]:
        """The speed-up of each pair."""
        return [one / two for one, two in self.pairs]

    @property
    def speed_up(self) -> float:
        """The median of the speed-ups."""
        return statistics.median(self.ratios)


def compiled(cores: int, name: str, folder: Path, ram: int | None) -> api.Compilation:
    """The network, with int8 inputs and outputs, as the fastest code for so many cores and bytes of arena."""
    model, images = folder / "model.onnx", folder / "images.npz"
    onnx.save(mobilenet_v1(0.25, RESOLUTION), model)
    random = np.random.default_rng(1)
    np.savez(images, image=random.uniform(-1, 1, (CALIBRATION, 3, RESOLUTION, RESOLUTION)).astype(np.float32))
    return api.compile(
        model,
        name=name,
        cores=cores,
        ram=ram,
        rows_from="argument",
        input_layout="nhwc",
        verify=False,
        quantise=QuantiseOptions(calibration=images, input_type="int8", output_type="int8"),
    )


def measure(one: CSource, two: CSource, folder: Path, pairs: int) -> Result:
    """Compiles and runs both.

    Raises:
        MissingTool: there is no compiler.
        TinycError: the program does not build, cannot start a second thread, or the results differ.
    """
    for name, text in {**one.files, **two.files, "main.c": MAIN}.items():
        (folder / name).write_text(text, encoding="ascii")
    sources = sorted(name for name in (*one.files, *two.files, "main.c") if name.endswith(".c"))
    command = [find_compiler(), *FLAGS, "-o", "bench", *sources, "-lm", "-pthread"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode:
        raise TinycError(f"the benchmark does not compile: {built.stderr[-2000:]}")
    ran = subprocess.run(
        [str(folder / "bench"), str(pairs), str(INFERENCES)], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        reason = {
            2: "there is no second core, or no thread to be had on it",
            3: "the results of one core and of two differ",
        }
        raise TinycError(reason.get(ran.returncode, f"the benchmark ended with status {ran.returncode}"))
    real_time, *lines = ran.stdout.splitlines()
    times = [tuple(map(float, line.split())) for line in lines]
    return Result(tuple((a, b) for a, b in times), (one.arena_bytes, two.arena_bytes), real_time == "1")


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--ram", type=int, help="bytes of arena that the code for two cores may take")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            one = compiled(1, "one", folder, UNLIMITED)
            two = compiled(2, "two", folder, arguments.ram)
            result = measure(one.source, two.source, folder, arguments.pairs)
    except (MissingTool, TinycError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps({**asdict(result), "speed_up": result.speed_up}))
        return 0
    priority = "real-time priority" if result.real_time else "no real-time priority: other work on it counts"
    print(f"one core    two cores   speed-up   (milliseconds; {os.cpu_count()} cores here, {priority})")
    for (a, b), ratio in zip(result.pairs, result.ratios, strict=True):
        print(f"{a * 1e3:8.2f}    {b * 1e3:8.2f}    {ratio:8.2f}")
    print(f"median speed-up {result.speed_up:.2f}; arena {result.arena_bytes[0]:,} and {result.arena_bytes[1]:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
