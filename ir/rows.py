"""placeholder"""
from dataclasses import dataclass
@dataclass(frozen=True)
class RowProgram:
    name: str
