"""The C backend: from a planned row program to C99 files."""

from tinyc.backends.c.program import generate
from tinyc.backends.c.source import CodegenError, CPort, CSource, CStage, Interface, Placement, PortInfo, Section

__all__ = [
    "CPort",
    "CSource",
    "CStage",
    "CodegenError",
    "Interface",
    "Placement",
    "PortInfo",
    "Section",
    "generate",
]
