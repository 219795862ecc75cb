"""Errors against the number of structures: nested subsets, and a power law through them."""

from mtt.evaluation.power_law import PowerLaw, fit_power_law
from mtt.workflows.learning.curve import LearningCurve, Point, learning_curve

__all__ = ["LearningCurve", "Point", "PowerLaw", "fit_power_law", "learning_curve"]
