"""Checkpoints: safe to read, whole when written, and upgraded when old."""

from mtt.checkpoint.archive import read_archive, write_archive
from mtt.checkpoint.describe import describe, metric_of
from mtt.checkpoint.metadata import merge_metadata, metadata_from_dict, metadata_to_dict
from mtt.checkpoint.read import peek, read, verify
from mtt.checkpoint.retain import (
    Newest,
    find_latest_run,
    newest_of_run,
    newest_valid,
    runs_in,
    write_last,
)
from mtt.checkpoint.upgrade import upgrade, upgrade_by_folder, upgrade_steps
from mtt.checkpoint.write import write

__all__ = [
    "Newest",
    "describe",
    "find_latest_run",
    "merge_metadata",
    "metadata_from_dict",
    "metadata_to_dict",
    "metric_of",
    "newest_of_run",
    "newest_valid",
    "peek",
    "read",
    "read_archive",
    "runs_in",
    "upgrade",
    "upgrade_by_folder",
    "upgrade_steps",
    "verify",
    "write",
    "write_archive",
    "write_last",
]
