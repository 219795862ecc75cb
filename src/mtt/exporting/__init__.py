"""From a trained model to a file for metatomic's engines, checked in a fresh process."""

from mtt.exporting.export import check_path, export_model
from mtt.exporting.load import load_exported
from mtt.exporting.metadata import read_metadata, rewrite_metadata
from mtt.exporting.verify import TOLERANCES, verify

__all__ = [
    "TOLERANCES",
    "check_path",
    "export_model",
    "load_exported",
    "read_metadata",
    "rewrite_metadata",
    "verify",
]
