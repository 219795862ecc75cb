"""What an architecture suggests for data: sizes of its model, the place of its cutoff.

They are in ``suggest.yaml`` of its folder, which may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtt.errors import ArchitectureError
from mtt.options.yaml.load import read_yaml
from mtt.registry.find import discover
from mtt.registry.found import Found

SUGGEST = "suggest.yaml"
_LAST = 1_000  # rank of architectures that suggest nothing


@dataclass(frozen=True)
class Suggestion:
    """Content of ``suggest.yaml``.

    :param rank: of two stable architectures the one of the lower rank is taken.
    :param cutoff: key of the cutoff below ``architecture``; empty where it is not known.
    :param sizes: number of labels and options of the model, ascending.
    """

    rank: int = _LAST
    cutoff: str = ""
    sizes: tuple[tuple[int, Mapping[str, Any]], ...] = ()

    def model(self, n_labels: int) -> dict[str, Any]:
        """Options of the model for so many labels; empty where none are suggested."""
        fitting = [model for least, model in self.sizes if least <= n_labels]
        return dict(fitting[-1]) if fitting else {}


def suggestion(found: Found) -> Suggestion:
    """The suggestion of an architecture's folder; an empty one without the file.

    :raises ArchitectureError: the file holds something else.
    """
    path = found.folder / SUGGEST
    if not path.is_file():
        return Suggestion()
    values = read_yaml(path)
    try:
        sizes = [(int(one["labels"]), dict(one["model"])) for one in values.get("sizes", ())]
        sizes.sort(key=lambda one: one[0])
        return Suggestion(int(values.get("rank", _LAST)), str(values["cutoff"]), tuple(sizes))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"needs rank, cutoff and sizes ({type(error).__name__}: {error})"
        raise ArchitectureError(what, where=str(path)) from error


def suggested(folders: Sequence[str | Path] = ()) -> Found:
    """The stable architecture of the least rank, among those that are installed.

    :raises ArchitectureError: none is.
    """
    known = [
        one
        for one in discover(folders).values()
        if one.state == "stable" and not one.problem and not one.missing
    ]
    if not known:
        raise ArchitectureError("no stable architecture is installed", hint="install mtt again")
    return min(known, key=lambda one: suggestion(one).rank)
