"""Packages for the ESP32 family."""

from tinyc.backends.esp32.idf import idf_component

__all__ = ["idf_component"]
