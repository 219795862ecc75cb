"""Which numbers of a composition baseline a fine-tuning may change, and how they change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from mtt.baselines.given import given_types
from mtt.errors import ConfigError
from mtt.mlip.finetune.baselines import columns
from mtt.mlip.finetune.transfer import places_of
from mtt.mlip.model import MLIPModel
from mtt.options.training.finetune import SECTION


class Baselines:
    """The composition weights of ``model``, made from ``source`` to be fine-tuned.

    :param counterparts: target to the target of ``source`` that its weights come from.
    :param given: ``atomic_baseline`` of the options: these numbers stay exactly what they are.
    """

    def __init__(
        self,
        source: MLIPModel,
        model: MLIPModel,
        counterparts: Mapping[str, str],
        given: Mapping[str, Any],
    ) -> None:
        self._source, self._model = source, model
        self._counterparts, self._given = counterparts, given
        self._n_types = len(model.dataset_info.atomic_types)
        known = places_of(source, model)
        self._new = [i for i in range(self._n_types) if i not in known]

    def free(self, name: str) -> list[int]:
        """Types whose number the options do not give."""
        given = given_types(self._given.get(name), self._model.dataset_info.atomic_types)
        return [i for i in range(self._n_types) if i not in given]

    def new(self, name: str) -> list[int]:
        """Types that the source does not know, and the options do not give."""
        free = self.free(name)
        return [i for i in self._new if i in free]

    def has_one(self, name: str) -> bool:
        """Whether ``name`` has a composition baseline: energies do, others if the source's has."""
        if self._model.dataset_info.targets[name].is_energy or name in self._given:
            return True
        old = self._counterparts[name]
        return bool(self._source.composition.values[:, columns(self._source, old)].any())

    def add(self, name: str, weights: Tensor) -> None:
        """Add ``weights`` [n_types, invariant numbers of a sample] to what is there."""
        add_weights(self._model, name, weights)


def add_weights(model: MLIPModel, name: str, weights: Tensor) -> None:
    """Add ``weights`` [n_types, invariant numbers of a sample] to the baseline of ``name``."""
    table = model.composition.values
    added = model.dataset_info.targets[name].with_invariants(weights)
    with torch.no_grad():
        table[:, columns(model, name)] += added.to(table.device)


def check_refit(
    model: MLIPModel, names: Collection[str], baseline: str, given: Mapping[str, Any]
) -> None:
    """Refuse to refit a baseline that the options give for every element.

    :param names: targets whose baselines come from the source.
    :param baseline: the option ``finetune.baseline``.
    :param given: ``atomic_baseline`` of the options.
    :raises ConfigError: ``baseline: refit``, and nothing is left to refit for some target.
    """
    if baseline != "refit":
        return
    types = model.dataset_info.atomic_types
    whole = [name for name in names if len(given_types(given.get(name), types)) == len(types)]
    if whole:
        raise ConfigError(
            f"atomic_baseline gives the baseline of {', '.join(whole)}, and refit would change it",
            where=f"{SECTION}.baseline",
            hint="leave one of the two out: what atomic_baseline gives is kept exactly",
        )
