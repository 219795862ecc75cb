"""The data's own lies: what a scan finds that is well-formed, and wrong nevertheless."""

from mtt.scanning.finding import Finding, Place
from mtt.scanning.scan import scan

__all__ = ["Finding", "Place", "scan"]
