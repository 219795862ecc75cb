"""Errors against the number of structures: nested subsets, and a power law through them."""

from mtt.workflows.learning.curve import LearningCurve, Point, learning_curve
from mtt.workflows.learning.power_law import PowerLaw, fit_power_law

__all__ = ["LearningCurve", "Point", "PowerLaw", "fit_power_law", "learning_curve"]
