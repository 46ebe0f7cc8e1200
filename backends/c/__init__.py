"""The C backend: from a planned row program to C99 files.

Emitters are registered when their files are imported, so all of them are imported here.
"""

from tinyc.backends.c import (
    along,
    borders,
    conv,
    esp_dsp,
    esp_nn,
    generic,
    mac16,
    pie,
    pie_pools,
    planes,
    pool,
    qmatmul,
    quantised,
    quantised_values,
    recurrent,
    scatter,
    wide,
)
from tinyc.backends.c.calls import pointer, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.library import KernelError, add_kernels
from tinyc.backends.c.program import generate
from tinyc.backends.c.source import (
    CodegenError,
    CPort,
    CSource,
    CStage,
    Interface,
    PixelScale,
    PortDescription,
    Section,
    Sections,
)
from tinyc.backends.c.unit import Count, Pointer, RowCall, Rows, Scratch, TranslationUnit

EMITTER_FILES = (
    along,
    borders,
    conv,
    esp_dsp,
    esp_nn,
    generic,
    mac16,
    pie,
    pie_pools,
    planes,
    pool,
    quantised,
    qmatmul,
    quantised_values,
    recurrent,
    scatter,
    wide,
)

__all__ = [
    "CPort",
    "CSource",
    "CStage",
    "CodegenError",
    "Count",
    "Interface",
    "KernelError",
    "PixelScale",
    "Pointer",
    "PortDescription",
    "RowCall",
    "Rows",
    "Scratch",
    "Section",
    "Sections",
    "TranslationUnit",
    "add_kernels",
    "emits",
    "generate",
    "pointer",
    "specialise",
]
