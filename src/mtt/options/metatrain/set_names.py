"""Names of data sets: what their errors are reported under where there are several."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtt.options.values import DatasetOptions
from mtt.options.yaml.places import Fault, KeyPath

_ALLOWED = re.compile(r"[A-Za-z0-9_.+-]+")


def name_faults(datasets: Mapping[KeyPath, DatasetOptions]) -> list[Fault]:
    """Find names that occur twice, or that metrics cannot begin with.

    :param datasets: by their place in the options.
    """
    faults, seen = [], set()
    for path, one in datasets.items():
        here = (*path, "name")
        if one.name and not _ALLOWED.fullmatch(one.name):
            hint = "use letters, digits and _ . + -, for 'NAME forces RMSE' is a metric's name"
            faults.append(Fault(here, f"{one.name!r} is not a valid name of a data set", hint))
        if one.name in seen:
            faults.append(Fault(here, f"two data sets are called {one.name!r}", "rename one"))
        seen |= {one.name} - {""}
    return faults


def all_named(datasets: Sequence[DatasetOptions]) -> list[DatasetOptions]:
    """``datasets`` with a name for each one, where there are several.

    A data set without a name is called like its file (``bulk`` for ``data/bulk.xyz``); where
    others are called so, its place in the list, from 0, is added (``bulk_1``).
    """
    if len(datasets) < 2:
        return list(datasets)
    stems = [one.name or _stem(one) for one in datasets]
    uses = Counter(stems)
    return [
        one if one.name else replace(one, name=stem if uses[stem] == 1 else f"{stem}_{i}")
        for i, (one, stem) in enumerate(zip(datasets, stems, strict=True))
    ]


def _stem(options: DatasetOptions) -> str:
    read_from = options.systems.read_from
    path = Path(read_from if isinstance(read_from, str) else read_from[0])
    # of a pattern, the folder that its files are in
    while re.search(r"[*?[]", path.stem) and path.name:
        path = path.parent
    stem = path.stem
    return re.sub(rf"(?!{_ALLOWED.pattern}).", "_", stem) or "set"
