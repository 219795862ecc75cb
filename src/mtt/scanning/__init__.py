"""Suspicious labels: what a scan finds in data that are well-formed and still wrong."""

from mtt.scanning.scan import scan
from mtt.scanning.tools.finding import Finding, Place

__all__ = ["Finding", "Place", "scan"]
