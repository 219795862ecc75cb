"""Files to data sets to batches.

The public names are loaded on first use (PEP 562): code that only needs to know what a data
set holds (``DatasetInfo``) does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtt.data.batching.batch import Batch as Batch
    from mtt.data.batching.loader import Loader as Loader
    from mtt.data.batching.order import Batching as Batching
    from mtt.data.combine import merge as merge
    from mtt.data.combine import pack as pack
    from mtt.data.combine import pack_frames as pack_frames
    from mtt.data.dataset import Dataset as Dataset
    from mtt.data.frames import Frame as Frame
    from mtt.data.frames import FrameLabels as FrameLabels
    from mtt.data.info import DatasetInfo as DatasetInfo
    from mtt.data.info import TargetInfo as TargetInfo
    from mtt.data.open_dataset import read_dataset as read_dataset
    from mtt.data.sample import Sample as Sample

_PUBLIC = {
    "Batch": "batching.batch",
    "Batching": "batching.order",
    "Dataset": "dataset",
    "DatasetInfo": "info",
    "Frame": "frames",
    "FrameLabels": "frames",
    "Loader": "batching.loader",
    "Sample": "sample",
    "TargetInfo": "info",
    "merge": "combine",
    "pack": "combine",
    "pack_frames": "combine",
    "read_dataset": "open_dataset",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mtt.data' has no attribute {name!r}")
    value = getattr(import_module(f"mtt.data.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value
