"""Finds architecture folders without importing them, and loads the chosen one."""

from mtt.registry.architecture import PAGE, Architecture, Found, State
from mtt.registry.find import discover, find

__all__ = ["PAGE", "Architecture", "Found", "State", "discover", "find"]
