"""Learning rates as functions of the optimizer step."""

from mtt.training.schedules.base import Schedule
from mtt.training.schedules.make import make_schedule

__all__ = ["Schedule", "make_schedule"]
