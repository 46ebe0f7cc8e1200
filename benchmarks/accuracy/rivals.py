"""What others make of the same float network and calibration data: onnxruntime's `quantize_static`, and esp-ppq."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from benchmarks.accuracy.answers import Answers, decibels, logits
from benchmarks.networks.graph import OPSET, Floats

METHODS = (CalibrationMethod.MinMax, CalibrationMethod.Entropy, CalibrationMethod.Percentile)
JUDGED = 2000
"""By how many images the best of a tool's own methods is chosen, by its ratio of signal to noise."""
SCALES_OF_CHANNELS = 13
WORKER = Path(__file__).parent / "esp_ppq_worker.py"
PYTHON = "ESP_PPQ_PYTHON"
"""Names the Python of an environment that has esp-ppq and PyTorch."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Samples one by one, as onnxruntime asks for them."""

    def __init__(self, name: str, samples: Floats) -> None:
        self._rest: Iterator[dict[str, Floats]] = iter([{name: s[np.newaxis]} for s in samples])

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._rest, None)


def of_onnxruntime(model: onnx.ModelProto, samples: Floats, images: Floats, exact: Floats) -> Answers:
    """onnxruntime's quantiser, int8 with a scale for each channel, by the best of its methods.

    Args:
        model: float, of one image.
        samples: to calibrate with.
        images: to answer for.
        exact: the float network's answers.
    """
    tried: dict[str, tuple[float, onnx.ModelProto]] = {}
    name = model.graph.input[0].name
    with tempfile.TemporaryDirectory() as folder:
        source, ready, made = (Path(folder) / f"{k}.onnx" for k in ("float", "ready", "int8"))
        onnx.save(_of_today(model), source)
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        for method in METHODS:
            quantize_static(
                str(ready),
                str(made),
                _Reader(name, samples),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=method,
            )
            quantised = onnx.load(made)
            ratio = decibels(exact[:JUDGED], logits(quantised, images[:JUDGED]))
            tried[method.name.lower()] = ratio, quantised
    best = max(tried, key=lambda k: tried[k][0])
    return Answers(logits(tried[best][1], images), best)


def _of_today(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in operators that have a scale for each channel."""
    version = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    return model if version >= SCALES_OF_CHANNELS else version_converter.convert_version(model, OPSET)


def why_no_esp_ppq() -> str:
    """Why esp-ppq is left out; empty where it is there."""
    python = os.environ.get(PYTHON)
    if not python:
        return f"esp-ppq is left out: {PYTHON} names no Python that has it"
    found = subprocess.run([python, "-c", "import esp_ppq"], capture_output=True, text=True)
    return f"esp-ppq is left out: {python} cannot import it" if found.returncode else ""


def of_esp_ppq(model: onnx.ModelProto, samples: Floats, images: Floats, exact: Floats) -> Answers | None:
    """The same of esp-ppq; None where it is not there, or cannot quantise the network."""
    if why_no_esp_ppq():
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, data, made = (Path(folder) / k for k in ("model.onnx", "data.npz", "answers.npz"))
        onnx.save(model, source)
        np.savez(data, calibration=samples, images=images, exact=exact)
        command = [os.environ[PYTHON], str(WORKER), str(source), str(data), str(made)]
        run = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        if run.returncode:
            print(f"esp-ppq failed: {run.stderr.strip().splitlines()[-1:]}")
            return None
        with np.load(made) as found:
            return Answers(found["answers"], str(found["setting"]))
