"""The data's own lies: what a scan finds that is well-formed, and wrong nevertheless."""

from mtt.scanning.scan import scan
from mtt.scanning.tools.finding import Finding, Place

__all__ = ["Finding", "Place", "scan"]
