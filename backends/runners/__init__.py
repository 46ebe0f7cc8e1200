"""Runners compile generated C together with a harness and run it: on this computer, or on a simulated machine."""

from tinyc.backends.c.source import CSource
from tinyc.backends.runners.exchange import MissingTool, RunnerError, Unsupported
from tinyc.backends.runners.host import HostRunner
from tinyc.backends.runners.machines import MACHINES, Machine
from tinyc.backends.runners.runner import Runner
from tinyc.backends.runners.simulator import Measurement, SimulatorRunner

RUNNERS = ("host", *MACHINES)
"""Where generated C runs."""


def runner_for(source: CSource, name: str) -> Runner:
    """The runner of that name: "host" or a machine's.

    Raises:
        KeyError: there is none.
        MissingTool, RunnerError: it cannot be had, or the C does not compile.
    """
    return HostRunner(source) if name == "host" else SimulatorRunner(source, MACHINES[name])


__all__ = [
    "MACHINES",
    "RUNNERS",
    "HostRunner",
    "Machine",
    "Measurement",
    "MissingTool",
    "Runner",
    "RunnerError",
    "SimulatorRunner",
    "Unsupported",
    "runner_for",
]
