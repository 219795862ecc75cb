"""A model's predictions for a data set, batch by batch, in the order of the data set."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from metatomic.torch import AtomisticModel
from torch import Tensor

from mtt.data import Dataset
from mtt.data.batching.largest_batch import counted, describe
from mtt.data.batching.pair_distances import check_pairs
from mtt.data.batching.pairs import PairRows
from mtt.data.info import TargetInfo
from mtt.data.memory import Remedy, telling_lack
from mtt.evaluation.features import (
    Asked,
    SampleKind,
    feature_outputs_of,
    features_of_batch,
)
from mtt.evaluation.inputs import asked_of, check_inputs, with_inputs
from mtt.evaluation.outputs import model_info, same_units, targets_for
from mtt.evaluation.systems import (
    Call,
    caller,
    on_device,
    precision,
    predict_systems,
    requested_lists,
)
from mtt.graph import Target
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.batches import batches_of
from mtt.stopping import stop_if_asked


@dataclass(frozen=True)
class Prediction:
    """Predictions for one batch of structures, on the device of the model."""

    index: Tensor  # [n] int64, numbers of the structures in the data set, ascending
    n_atoms: Tensor  # [n] int64
    volumes: Tensor  # [n] float64
    targets: dict[str, Target]  # predicted; energies with forces and strain
    labels: dict[str, Target]  # NaN where missing
    features: dict[str, Tensor]  # output to [n or Σ n_atoms, k]; empty unless asked for
    seconds: float  # that the model took; neighbour lists and reading do not count
    pairs: Tensor | None = None  # [P, 6] int64 on the host, see PairRows.samples; of pairs alone


def predict(
    model: ModelInterface | AtomisticModel,
    dataset: Dataset,
    *,
    batch_size: int = 1,
    device: torch.device | str = "cpu",
    check_consistency: bool = False,
    warm_up: int = 0,
    features: SampleKind | None = None,
) -> Iterator[Prediction]:
    """Predict the targets of ``dataset``, or all of the model's where it has none.

    Energies come with forces and with the derivative by strain, whether the data have labels
    of them or not; other targets with those derivatives that the data have labels of, and those
    that the model was trained on. An ``MLIPModel`` runs the code that it is trained with; other
    models take metatomic's systems. Where units differ, values are in those of the data set.

    :param model: moved to ``device``; in evaluation mode until the last batch, and then in that
        which it was in.
    :param check_consistency: metatomic's checks of everything that goes in and comes out.
    :param warm_up: batches to run before the first one counts; TorchScript compiles then.
    :param features: also predict the features that the model offers, of atoms or as sums over
        structures.
    :raises DataError: an element or a target that the model does not know; an input that the
        data lack, or that is out of range; before the first batch.
    :raises ConfigError: the model offers no features, and they are asked for.
    :raises Stopped: a signal came; looked for after every batch.
    """
    targets = targets_for(model, dataset)
    cutoff = _cutoff_of_pairs(model, dataset, targets)
    check_inputs(model, dataset)
    asked = Asked(targets, feature_outputs_of(model) if features else (), features or "atom")
    convert = not same_units(model_info(model), dataset.info)
    if isinstance(model, ModelInterface) and (convert or check_consistency):
        # metatomic converts and checks; an author's export() may change what it is called on
        model = copy.deepcopy(model).export()
    model.to(device)
    run: Callable[[], Iterator[Prediction]]
    if isinstance(model, MLIPModel):
        run = partial(_with_graphs, model, dataset, asked, batch_size, cutoff)
    else:
        dataset.prepare(requested_lists(model))
        call = caller(model, asked, dataset.info.length_unit, check_consistency)
        call_with = _Call(call, asked_of(model), precision(model), torch.device(device))
        run = partial(_with_systems, call_with, dataset, asked, batch_size, cutoff)
    return _warmed_up(run, warm_up, model)


def _warmed_up(
    run: Callable[[], Iterator[Prediction]], warm_up: int, model: torch.nn.Module
) -> Iterator[Prediction]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        for _ in islice(run(), warm_up):
            stop_if_asked()
        for prediction in run():
            stop_if_asked()
            yield prediction
    finally:
        for module in training:
            module.training = True


def _with_graphs(
    model: MLIPModel, dataset: Dataset, asked: Asked, batch_size: int, cutoff: float | None
) -> Iterator[Prediction]:
    of_pairs = None if cutoff is None else PairRows(dataset, cutoff)
    gradients = {name: target.gradients for name, target in asked.targets.items()}
    for batch in batches_of(model, dataset, batch_size):
        with telling_lack(
            model.device,
            lambda one=batch: f"the evaluation of {describe([one], dataset.source)}",  # type: ignore[misc]
            lambda one=batch: _remedy(len(one.index)),  # type: ignore[misc]
        ):
            start = _now(model.device)
            found = model.predict_targets(batch.graph, all_gradients=True, gradients=gradients)
            features = features_of_batch(model, batch, asked)
            seconds = _now(model.device) - start
        targets = {name: found[name] for name in asked.targets}
        of = (batch.index, batch.n_atoms, batch.volumes, targets, batch.targets)
        pairs = None if of_pairs is None else of_pairs.samples(batch.index)
        yield Prediction(*of, features, seconds, pairs)


@dataclass(frozen=True)
class _Call:
    """A model that takes systems, and what these must be.

    :param inputs: what they carry in addition to neighbour lists, and whether it is of atoms.
    """

    function: Call
    inputs: dict[str, bool]
    dtype: torch.dtype
    device: torch.device


def _with_systems(
    call: _Call, dataset: Dataset, asked: Asked, batch_size: int, cutoff: float | None
) -> Iterator[Prediction]:
    device = call.device
    of_pairs = None if cutoff is None else PairRows(dataset, cutoff)
    for index in torch.arange(len(dataset)).split(batch_size):
        part = dataset.select(index)
        with telling_lack(
            device,
            lambda part=part: f"the evaluation of {_described(part)}",  # type: ignore[misc]
            lambda part=part: _remedy(len(part)),  # type: ignore[misc]
        ):
            whole = [with_inputs(part[i], call.inputs) for i in range(len(part))]
            systems = [system.to(dtype=call.dtype, device=device) for system in whole]
            start = _now(device)
            pairs = None if of_pairs is None else of_pairs.samples(index)
            found, features = predict_systems(call.function, systems, asked, pairs)
            seconds = _now(device) - start
        labels = {
            name: on_device(_labels(part, name, index, of_pairs), device)
            for name in dataset.info.targets
        }
        n_atoms, volumes = part.n_atoms.to(device), part.volumes.to(device)
        of = (index.to(device), n_atoms, volumes, found, labels)
        yield Prediction(*of, features, seconds, pairs)


def _labels(part: Dataset, name: str, index: Tensor, of_pairs: PairRows | None) -> Target:
    """Of the structures ``index``, which are ``part``; of pairs one row for each of the lists."""
    if of_pairs is not None and part.info.targets[name].per_pair:
        return Target(of_pairs.labels(name, index))
    return part.target(name)


def _cutoff_of_pairs(
    model: ModelInterface | AtomisticModel, dataset: Dataset, targets: Mapping[str, TargetInfo]
) -> float | None:
    """Radius of the pairs that the model gives values of; None where none are asked for.

    :raises DataError: a pair farther apart has a label.
    """
    if not any(target.per_pair for target in targets.values()):
        return None
    if isinstance(model, MLIPModel):
        check_pairs(dataset, model.cutoff)
        return model.list_cutoff()
    unit = dataset.info.length_unit
    radii = [float(options.engine_cutoff(unit)) for options in requested_lists(model)]
    check_pairs(dataset, max(radii))
    return max(radii)


def _described(part: Dataset) -> str:
    i = int(part.n_atoms.argmax())
    return (
        f"{counted(len(part), int(part.n_atoms.sum()))}; the largest has {part.n_atoms[i]} atoms "
        f"({part.source(i)})"
    )


def _remedy(structures: int) -> Remedy:
    if structures == 1:
        return Remedy(hint="this structure alone is too large; leave it out")
    return Remedy(hint=f"evaluate fewer structures at once (-b of `mtt eval`, now {structures})")


def _now(device: torch.device) -> float:
    """Seconds, once the device has finished all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
