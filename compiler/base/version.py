"""The version, in one place: the installed package's."""

from importlib import metadata

try:
    VERSION = metadata.version("tinyc")
except metadata.PackageNotFoundError:  # running from a checkout that is not installed
    VERSION = "0.0.0"
