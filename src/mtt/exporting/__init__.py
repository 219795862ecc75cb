"""From a trained model to a file that is checked: for metatomic's engines, or for keeping."""

from mtt.exporting.archive import export_archive
from mtt.exporting.export import export_model
from mtt.exporting.files import check_path
from mtt.exporting.load_exported import load_exported
from mtt.exporting.metadata import read_metadata, rewrite_metadata
from mtt.exporting.verify import TOLERANCES, verify

__all__ = [
    "TOLERANCES",
    "check_path",
    "export_archive",
    "export_model",
    "load_exported",
    "read_metadata",
    "rewrite_metadata",
    "verify",
]
