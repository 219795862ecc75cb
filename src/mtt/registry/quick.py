"""Which architecture fits within seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtt.errors import ArchitectureError
from mtt.registry.architecture import Architecture
from mtt.registry.find import discover

if TYPE_CHECKING:
    from mtt.data import DatasetInfo


def quick_fit(
    info: DatasetInfo, extra_dirs: Sequence[str | Path] = ()
) -> tuple[Architecture, dict[str, Any]]:
    """The first architecture whose trainer declares ``quick_fit`` options, and these.

    :param info: of the data that it would fit.
    :param extra_dirs: as for :func:`mtt.registry.discover`.
    :raises ArchitectureError: none of those that are installed does.
    """
    for found in discover(extra_dirs).values():
        if found.problem:
            continue
        try:
            architecture = found.load()
        except ArchitectureError:
            continue  # one whose packages are missing; to name it gives the reason
        options = architecture.trainer.quick_fit(info)
        if options is not None:
            return architecture, options
    raise ArchitectureError(
        "no architecture that is installed can be fitted within seconds",
        where="--fit",
        hint="one of the platform's own is missing: install mtt again",
    )
