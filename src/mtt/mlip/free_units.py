"""Units that metatomic does not know: an exported model carries them in its metadata."""

from __future__ import annotations

from collections.abc import Mapping

from metatomic.torch import ModelMetadata

from mtt.checkpoint import merge_metadata
from mtt.data.info import TargetInfo
from mtt.data.labels.units import is_declarable

_PREFIX = "unit of "


def with_units(metadata: ModelMetadata, targets: Mapping[str, TargetInfo]) -> ModelMetadata:
    """``metadata`` with the units that outputs cannot declare, under ``extra``."""
    extra = {
        f"{_PREFIX}{name}": target.unit
        for name, target in targets.items()
        if not is_declarable(target.unit)
    }
    return merge_metadata(metadata, ModelMetadata(extra=extra)) if extra else metadata


def stored_unit(metadata: ModelMetadata, name: str, declared: str) -> str:
    """The unit of the output ``name``: the one that is declared, else that of the metadata."""
    return declared or str(dict(metadata.extra).get(f"{_PREFIX}{name}", ""))
