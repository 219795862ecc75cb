"""Baselines and scales of a fine-tuned model: kept, inherited, given or fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from mtt.baselines.composition import fit_composition
from mtt.baselines.given import given_types
from mtt.graph import Target
from mtt.mlip.finetune.transfer import places_of
from mtt.mlip.fitting import check_given, counts_of, fit_scales, fit_weights
from mtt.mlip.model import MLIPModel
from mtt.mlip.support import symbols
from mtt.options.training import BaselineOptions

if TYPE_CHECKING:
    from mtt.data import Dataset


class Tables:
    """The composition weights and scales of ``model``, which comes from ``source``.

    :param counterparts: target to the target of ``source`` that it takes them from.
    """

    def __init__(
        self, source: MLIPModel, model: MLIPModel, counterparts: Mapping[str, str]
    ) -> None:
        self._source, self._model, self._counterparts = source, model, counterparts
        self._places = places_of(source, model)
        n_types = len(model.dataset_info.atomic_types)
        self._all = list(range(n_types))
        self._new = [i for i in self._all if i not in self._places]

    def carry_over(self) -> None:
        """Take what the source has; the rest stays zero, scales stay one, priors as given."""
        if self._model.prior is not None and self._source.prior is not None:
            self._model.prior.take(self._source.prior)
        for name, old in self._counterparts.items():
            column = self._source.composition.values[:, columns(self._source, old)]
            self._model.composition.values[self._places, columns(self._model, name)] = column
            scale = self._source.scale.values[self._source.target_names.index(old)]
            self._model.scale.values[self._model.target_names.index(name)] = scale

    def fit(self, dataset: Dataset, options: BaselineOptions) -> list[str]:
        """Fit what the source has not, and take what the options give.


        :return: what was fitted or taken, in sentences.
        :raises ConfigError: given baselines or scales do not fit the data.
        """
        model, info = self._model, self._model.dataset_info
        check_given(options, info)
        baselines, scales = options.given_baselines, options.given_scales
        fresh = [name for name in model.target_names if name not in self._counterparts]
        given = [n for n in self._counterparts if n in baselines]
        offsets = model.offsets(dataset)
        offset = {name: target.values for name, target in offsets.items()}
        fitted = info.with_targets({n: info.targets[n] for n in [*fresh, *given]})
        chosen = {name: baselines[name] for name in fitted.targets if name in baselines}
        weights = fit_weights(dataset, fitted, chosen, offset)
        for name, table in weights.items():
            # of a target that the source has, elements that are not given keep their numbers
            rows = given_types(baselines[name], info.atomic_types) if name in given else self._all
            model.composition.values[rows, columns(model, name)] = table[rows]
        notes = [f"the baseline of {name} is that of the options" for name in given]
        notes += [f"the baseline of {name} is fitted to the training set" for name in fresh]
        fitted_types: set[int] = set()
        for name in self._counterparts if self._new else ():
            own = given_types(baselines.get(name), info.atomic_types)
            new = [i for i in self._new if i not in own]
            if new:
                self._fit_new_elements(dataset, name, new, offset)
            fitted_types.update(new)
        if fitted_types:
            new_symbols = symbols([info.atomic_types[i] for i in sorted(fitted_types)])
            notes.append(f"the baselines of {new_symbols} are fitted to the training set")
        return notes + self._fit_scales(dataset, options, fresh, scales, offsets)

    def _fit_scales(
        self,
        dataset: Dataset,
        options: BaselineOptions,
        fresh: list[str],
        given: Mapping[str, Any],
        offsets: Mapping[str, Target],
    ) -> list[str]:
        model, info = self._model, self._model.dataset_info
        names = [name for name in model.target_names if name in fresh or name in given]
        weights = {name: model.composition.values[:, columns(model, name)] for name in names}
        some = info.with_targets({name: info.targets[name] for name in names})
        own = {name: given[name] for name in names if name in given}
        options = replace(options, fixed_scaling_weights=own)
        found = fit_scales(dataset, some, weights, options, offsets)
        for name, scale in found.items():
            model.scale.values[model.target_names.index(name)] = scale
        return [
            f"the scale of {name} is {scale:.6g}"
            + (", of the options" if name in given else ", fitted to the training set")
            for name, scale in found.items()
        ]

    def _fit_new_elements(
        self, dataset: Dataset, name: str, new: Sequence[int], offset: Mapping[str, Tensor]
    ) -> None:
        """Least squares for the new elements, what the known ones explain being taken off."""
        model, info = self._model, self._model.dataset_info
        counts = counts_of(dataset, info.targets[name], info.atomic_types)
        table = model.composition.values[:, columns(model, name)]
        if info.targets[name].has_constant:  # one number for all elements, new ones too
            table[new] = table[self._places].mean(dim=0)
            return
        table[new] = 0.0
        target = info.targets[name]
        labels = dataset.target(name).values
        values = labels.flatten(1) - counts @ table
        if name in offset:
            values = values - offset[name]
        types = [info.atomic_types[i] for i in new]
        if target.invariant_columns:
            left = target.invariant_part(values.reshape(labels.shape))
            weights = fit_composition(counts[:, new], left, types, name)
            table[new] = target.with_invariants(weights)


def columns(model: MLIPModel, name: str) -> slice:
    """Columns of the composition table that a sample of a target uses."""
    i = model.target_names.index(name)
    return slice(model.ends[i - 1] if i else 0, model.ends[i])
