"""Predicting with a model, scoring it, writing the predictions down."""

from mtt.evaluation.metrics import Errors, Metric, display, names, units

__all__ = ["Errors", "Metric", "display", "names", "units"]
