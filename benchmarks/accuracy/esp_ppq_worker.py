"""esp-ppq's side, run by the Python that has it: `python esp_ppq_worker.py MODEL DATA ANSWERS`.

MODEL is an ONNX file of one image, DATA an npz with `calibration` and `images`, [n, ...]. ANSWERS becomes an npz with
the answers of the setting that did best on the first images, and its name; best is the largest ratio of signal to
noise, held against `exact`, the float network's answers, so that esp-ppq is not judged by a choice that was bad for it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from esp_ppq import QuantizationSettingFactory, TorchExecutor
from esp_ppq.api import espdl_quantize_onnx
from torch.utils.data import DataLoader

TARGET = "esp32p4"
"""The chip for which esp-ppq has a scale for each channel's weights."""
JUDGED, TOGETHER = 200, 50


def settings() -> dict[str, Any]:
    """By name, what esp-ppq is asked for: each way to choose ranges that it has, and its corrections on top."""
    found = {}
    for algorithm in ("kl", "minmax", "mse"):
        found[algorithm] = QuantizationSettingFactory.espdl_setting()
        found[algorithm].quantize_activation_setting.calib_algorithm = algorithm
    for algorithm in ("minmax",):
        more = QuantizationSettingFactory.espdl_setting()
        more.quantize_activation_setting.calib_algorithm = algorithm
        more.equalization = more.bias_correct = True
        more.equalization_setting.iterations = 4
        found[f"{algorithm}, equalised, biases corrected"] = more
    return found


def answers(graph: Any, images: np.ndarray) -> np.ndarray:
    """What the quantised graph makes of images: as many at a time as it takes."""
    executor = TorchExecutor(graph, fp16_mode=False, device="cpu")
    try:
        count = TOGETHER if len(_run(executor, images[:TOGETHER])) == len(images[:TOGETHER]) else 1
    except RuntimeError:
        count = 1
    return np.concatenate([_run(executor, images[k : k + count]) for k in range(0, len(images), count)])


def _run(executor: TorchExecutor, images: np.ndarray) -> np.ndarray:
    found = executor(torch.from_numpy(images))[0].detach().numpy()
    return found.reshape(found.shape[0], -1)


def noise(exact: np.ndarray, found: np.ndarray) -> float:
    """Noise over signal."""
    return float(((exact - found) ** 2).sum() / (exact**2).sum())


def main(model: str, data: str, output: str) -> None:
    """Quantises with every setting, and writes the answers of the best."""
    with np.load(data) as arrays:
        calibration, images, exact = (arrays[k] for k in ("calibration", "images", "exact"))
    samples = [torch.from_numpy(s[np.newaxis]) for s in calibration]
    tried = {}
    for name, setting in settings().items():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.onnx"
            copy.write_bytes(Path(model).read_bytes())
            graph = espdl_quantize_onnx(
                onnx_import_file=str(copy),
                espdl_export_file=str(Path(folder) / "model.espdl"),
                calib_dataloader=DataLoader(samples, batch_size=None),
                calib_steps=max(len(samples), 8),
                input_shape=list(samples[0].shape),
                target=TARGET,
                setting=setting,
                error_report=False,
                skip_export=True,
            )
        tried[name] = noise(exact[:JUDGED], answers(graph, images[:JUDGED])), graph
    best = min(tried, key=lambda name: tried[name][0])
    np.savez(output, answers=answers(tried[best][1], images), setting=best)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:4])
