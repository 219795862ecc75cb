"""Predicting with a model, scoring it, writing the predictions down."""

from mtt.evaluation.metrics import Errors, Metric, display, names, units
from mtt.evaluation.outputs import targets_for
from mtt.evaluation.per_structure import GroupErrors, PerStructure, QuantityErrors
from mtt.evaluation.predict import Prediction, predict
from mtt.evaluation.report import Report, Row, Timing, error_rows, evaluate
from mtt.evaluation.writer import Writer, output_paths

__all__ = [
    "Errors",
    "GroupErrors",
    "Metric",
    "PerStructure",
    "Prediction",
    "QuantityErrors",
    "Report",
    "Row",
    "Timing",
    "Writer",
    "display",
    "error_rows",
    "evaluate",
    "names",
    "output_paths",
    "predict",
    "targets_for",
    "units",
]
