"""Finds architecture folders without importing them, and loads the chosen one."""

from mtt.registry.architecture import PAGE, Architecture, State
from mtt.registry.find import discover, find
from mtt.registry.found import Found

__all__ = ["PAGE", "Architecture", "Found", "State", "discover", "find"]
