"""Learning rates as functions of the optimizer step."""

from mtt.training.schedules.base import Schedule
from mtt.training.schedules.make import make_schedule
from mtt.training.schedules.plateau import Plateau

__all__ = ["Plateau", "Schedule", "make_schedule"]
