"""Inputs of models: arrays and files that users have, calibration data, and seeded inputs to verify with."""

from tinyc.compiler.data.calibration import Calibration, calibration_of
from tinyc.compiler.data.evidence import Evidence, evidence_from
from tinyc.compiler.data.inputs import InputsLike, load_arrays

__all__ = ["Calibration", "Evidence", "InputsLike", "calibration_of", "evidence_from", "load_arrays"]
