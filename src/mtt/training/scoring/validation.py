"""Scoring a model on the validation sets: all of them as one, and each by its name.

The metrics of all structures have plain names (``loss``, ``forces RMSE``); those of the set
``bulk`` alone are called ``bulk loss``, ``bulk forces RMSE``. Every structure is predicted
once: the sums of the sets, merged, are those of all sets in one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mtt.data.batching.largest_batch import describe
from mtt.data.combine import merge, with_targets_of
from mtt.data.info import DatasetInfo
from mtt.data.memory import Remedy, telling_lack
from mtt.errors import ConfigError, Problem
from mtt.evaluation.metrics import names
from mtt.graph import Target
from mtt.ranks import Ranks
from mtt.stopping import stop_if_asked
from mtt.training.losses.loss import Loss
from mtt.training.numerics.nonfinite import named_sources, nonfinite
from mtt.training.reporting.meter import Meter

if TYPE_CHECKING:
    from mtt.data import Batch, Dataset, Loader
    from mtt.mlip import MLIPModel


@dataclass(frozen=True)
class Validation:
    """The validation sets and how they are scored; holds nothing that changes.

    :param sets: name and batches of each set, not shuffled; sets without a name (``""``) are
        part of the whole and have no separate metrics.
    :param loss: as the loss is judged by, whatever the epoch.
    :param info: the targets of the model.
    :param extended: find the extended errors too.
    :param ranks: each of which scores its own batches; the metrics are those of all.
    :param remedy: what to do where there is no memory for a batch of so many structures.
    """

    sets: Sequence[tuple[str, Loader]]
    loss: Loss
    info: DatasetInfo
    extended: bool = False
    remedy: Callable[[int], Remedy] = lambda structures: Remedy()
    _: KW_ONLY
    ranks: Ranks

    @property
    def names(self) -> list[str]:
        """Sets that have their own metrics."""
        return [name for name, _ in self.sets if name]

    def run(self, model: MLIPModel, interrupted: Callable[[], None]) -> dict[str, float]:
        """Loss and errors of ``model``, by the names of :func:`metric_names`.

        The model is put into evaluation mode; no weight, buffer or gradient of it changes.

        :param interrupted: called after every batch; what it raises ends the validation.
        """
        model.eval()
        return self._scores(lambda batch: self._predictions(model, batch), interrupted)

    def _predictions(self, model: MLIPModel, batch: Batch) -> Mapping[str, Target]:
        differentiated = any(target.gradients for target in self.info.targets.values())
        with torch.set_grad_enabled(differentiated):
            return model.predict_targets(batch.graph, create_graph=False)

    def nonfinite(self, model: MLIPModel) -> str:
        """Structures of which a prediction is not finite: `` (structures: …)``, or nothing."""
        for _, loader in self.sets:
            own_batches = (one for one in loader.epoch() if len(one.index))
            own = [
                i
                for one in own_batches
                for i in nonfinite(self._predictions(model, one), one, self.info.targets)
            ]
            index = sorted(i for each in self.ranks.gather(own) for i in each)
            if index:
                return f" (structures: {named_sources(index, loader.dataset)})"
        return ""

    def of_labels(self) -> dict[str, float]:
        """Metrics of a model without errors; NaN where no structure has a label."""
        return self._scores(_right, stop_if_asked)

    def _scores(
        self,
        predictions: Callable[[Batch], Mapping[str, Target]],
        interrupted: Callable[[], None],
    ) -> dict[str, float]:
        device = self.sets[0][1].device
        whole = Meter(self.loss, self.info, device, self.extended, ranks=self.ranks)
        prefixed: dict[str, float] = {}
        for name, loader in self.sets:
            meter = Meter(self.loss, self.info, device, self.extended, ranks=self.ranks)
            for batch in loader.epoch():
                if len(batch.index):  # ranks share few structures out
                    self._add(batch, predictions, meter, loader)
                interrupted()
            whole.merge(meter)
            if name:
                found = meter.compute()
                prefixed |= {f"{name} {metric}": found[metric] for metric in self._metrics}
        found = whole.compute()
        return {metric: found[metric] for metric in self._metrics} | prefixed

    def _add(
        self,
        batch: Batch,
        predictions: Callable[[Batch], Mapping[str, Target]],
        meter: Meter,
        loader: Loader,
    ) -> None:
        with telling_lack(
            loader.device,
            lambda: f"the validation of {describe([batch], loader.dataset.source)}",
            lambda: self.remedy(len(batch.index)),
        ):
            predicted = predictions(batch)
            with torch.no_grad():
                terms = self.loss(predicted, batch)
            meter.add(terms, predicted, batch)

    @property
    def _metrics(self) -> list[str]:
        return metric_names(self.info, self.extended)


def metric_names(
    info: DatasetInfo, extended: bool = False, validation_names: Sequence[str] = ()
) -> list[str]:
    """The keys of :meth:`Validation.run`: those of all structures, then those of each set.

    :raises ConfigError: two metrics would share a name: two sets do, or a set and a target are
        named so that their metrics coincide.
    """
    plain = ["loss", *names(info, extended=extended)]
    known, problems = list(plain), []
    for name in validation_names:
        own = [f"{name} {metric}" for metric in plain]
        taken = [metric for metric in own if metric in known]
        if taken:
            what = f"{taken[0]!r} would be the name of two metrics"
            hint = f"the name {name!r} of a set is taken; give it another one"
            problems.append(Problem(what, "validation_set", hint))
        known += own
    if problems:
        raise ConfigError.collect(problems)
    return known


def named(datasets: Sequence[Dataset], info: DatasetInfo) -> list[tuple[str, Dataset]]:
    """Data sets by name, as :class:`Validation` takes them.

    Each one has the targets of ``info`` and of all the others, NaN where it has no labels. A
    set alone has no name: its metrics are those of the whole. Empty sets are left out.

    :param info: the targets of the model.
    :raises DataError: units of length, or the nature of a target, differ.
    """
    kept = [dataset for dataset in datasets if len(dataset)]
    if len(kept) < 2:
        return [("", with_targets_of(dataset, info)) for dataset in kept]
    merged = with_targets_of(merge(kept), info)
    ends = np.cumsum([len(dataset) for dataset in kept])
    return [
        (dataset.name, merged.select(np.arange(end - len(dataset), end)))
        for dataset, end in zip(kept, ends, strict=True)
    ]


def _right(batch: Batch) -> Mapping[str, Target]:
    """Predictions without errors: the labels, and zero where there is none."""

    def known(part: Tensor | None) -> Tensor | None:
        return None if part is None else part.nan_to_num(0.0)

    return {
        name: Target(target.values.nan_to_num(0.0), known(target.forces), known(target.strain))
        for name, target in batch.targets.items()
    }
