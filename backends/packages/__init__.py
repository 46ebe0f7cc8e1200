"""The forms in which generated C is handed over: plain files, or a package of ESP-IDF, Arduino or PlatformIO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tinyc.backends.c import CSource
from tinyc.backends.packages.arduino import arduino_library
from tinyc.backends.packages.idf import idf_component
from tinyc.backends.packages.memories import ARENAS, WEIGHTS
from tinyc.backends.packages.packing import FORMATS, PackageError, Packing, check_libraries, choose
from tinyc.backends.packages.platformio import platformio_library

__all__ = ["ARENAS", "FORMATS", "WEIGHTS", "PackageError", "Packing", "check_libraries", "choose", "package_files"]

Maker = Callable[[CSource, Packing, str], Mapping[str, str]]

_MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "c": lambda source, packing, version: source.files,
        "idf": idf_component,
        "arduino": arduino_library,
        "platformio": platformio_library,
    }
)


def package_files(source: CSource, packing: Packing, version: str) -> Mapping[str, str]:
    """The files of a package, by path relative to its folder.

    Args:
        source: the generated C, made with the packing's sections.
        packing: the form.
        version: of the compiler; the package has it too.

    Raises:
        PackageError: the C calls a library that the form cannot bring.
    """
    check_libraries(packing.format, source)
    return _MAKERS[packing.format](source, packing, version)
