"""Accuracy on data that was held back: a model against what was made of it, on inputs that nothing was learnt from."""

from tinyc.compiler.evaluate.classes import with_classes
from tinyc.compiler.evaluate.data import DataLike, LabelsLike, evaluation_data
from tinyc.compiler.evaluate.errors import OutputNoise
from tinyc.compiler.evaluate.evaluation import ClassChange, Evaluation, evaluate
from tinyc.compiler.evaluate.running import Network, Outputs, run_model, run_qdq

__all__ = [
    "ClassChange",
    "DataLike",
    "Evaluation",
    "LabelsLike",
    "Network",
    "OutputNoise",
    "Outputs",
    "evaluate",
    "evaluation_data",
    "run_model",
    "run_qdq",
    "with_classes",
]
