"""Runners compile generated C together with a harness and run it: on this machine, or on a simulated one."""

from tinyc.backends.runners.harness import MissingTool, RunnerError
from tinyc.backends.runners.host import HostRunner

__all__ = ["HostRunner", "MissingTool", "RunnerError"]
