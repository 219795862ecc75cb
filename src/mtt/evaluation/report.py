"""How good a model is on a data set, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from metatomic.torch import AtomisticModel
from torch import Tensor

from mtt.data import Dataset
from mtt.data.info import DatasetInfo
from mtt.evaluation.features import SampleKind
from mtt.evaluation.metrics import Errors, display
from mtt.evaluation.mts_writer import SUFFIX, TensorWriter
from mtt.evaluation.outputs import targets_for, with_units_of
from mtt.evaluation.per_structure import PerStructure
from mtt.evaluation.predict import Prediction, predict
from mtt.evaluation.writer import Writer
from mtt.interface import ModelInterface
from mtt.progress import Work

Follower = Callable[[Dataset, Prediction], None]
"""Called with the data set, in the units of its predictions, and with each batch of them."""


@dataclass(frozen=True)
class Timing:
    """Time that the model took; neighbour lists, reading and writing do not count."""

    seconds: float
    n_structures: int
    n_atoms: int

    @property
    def ms_per_structure(self) -> float:
        return 1e3 * self.seconds / self.n_structures if self.n_structures else float("nan")

    @property
    def ms_per_atom(self) -> float:
        return 1e3 * self.seconds / self.n_atoms if self.n_atoms else float("nan")


@dataclass(frozen=True)
class Row:
    """One line of an error table."""

    quantity: str  # "energy", "forces"
    rmse: float
    mae: float
    unit: str  # as shown: meV where the data are in eV
    count: int  # labelled components
    maximum: float | None = None  # largest absolute error; None unless extended


@dataclass(frozen=True)
class Report:
    """What :func:`evaluate` found.

    :param errors: name (``"forces RMSE"``) to error in the units of the data set, for what
        has labels.
    :param rows: the same as a table, in the units that are shown.
    :param cosines: quantity to mean cosine, which has no place in the table; only extended.
    :param structures: errors of each structure, where they were asked for.
    """

    errors: dict[str, float]
    rows: tuple[Row, ...]
    timing: Timing
    cosines: Mapping[str, float] = field(default_factory=dict)
    structures: PerStructure | None = None


def evaluate(
    model: ModelInterface | AtomisticModel,
    dataset: Dataset,
    *,
    output: str | Path | None = None,
    batch_size: int = 1,
    device: torch.device | str = "cpu",
    check_consistency: bool = False,
    warm_up: int = 0,
    extended: bool = False,
    references: bool = False,
    per_structure: bool = False,
    features: SampleKind | None = None,
    what: str = "evaluating",
    follow: Follower | None = None,
) -> Report:
    """Predict all of ``dataset``, score it against its labels, and write the predictions.

    :param output: an ``.xyz`` or ``.mts`` file for the predictions, see :func:`_writer`.
    :param extended: find the extended errors too, see :class:`mtt.evaluation.Errors`.
    :param references: write the labels beside the predictions.
    :param per_structure: keep the errors of each structure.
    :param features: also write the features of atoms, or their sums over structures.
    :param what: is done, in the words that its progress is shown with.
    :param follow: gets every batch of predictions.
    :raises ConfigError: ``output`` cannot be written; found before anything is predicted.
    :raises DataError: an element or a target that the model does not know.

    The other parameters are those of :func:`mtt.evaluation.predict`.
    """
    dataset = with_units_of(model, dataset)
    errors = Errors(dataset.info, totals=True, extended=extended)
    structures = PerStructure(dataset) if per_structure else None
    seconds, n = 0.0, len(dataset)
    predictions = predict(
        model, dataset, batch_size=batch_size, device=device, check_consistency=check_consistency,
        warm_up=warm_up, features=None if output is None else features,
    )  # fmt: skip
    with _writer(output, model, dataset, references, features or "atom") as writer:
        for prediction in _shown(predictions, what, n):
            seconds += prediction.seconds
            _add(errors, dataset, prediction, extended=extended)
            if structures is not None:
                structures.update(prediction)
            if writer is not None:
                writer.write(prediction)
            if follow is not None:
                follow(dataset, prediction)
    found, timing = labelled(errors), Timing(seconds, n, int(dataset.n_atoms.sum()))
    return Report(found, (*error_rows(dataset.info, errors),), timing, _cosines(found), structures)


def _cosines(found: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name.endswith(" cosine")}


def _writer(
    output: str | Path | None,
    model: ModelInterface | AtomisticModel,
    dataset: Dataset,
    references: bool,
    features: SampleKind,
) -> AbstractContextManager[Writer | TensorWriter | None]:
    """What writes to ``output``: a :class:`Writer`, or a :class:`TensorWriter` of ``.mts``."""
    if output is None:
        return nullcontext()
    of = (output, dataset, targets_for(model, dataset))
    if Path(output).suffix == SUFFIX:
        return TensorWriter(*of, references=references, features=features)
    return Writer(*of, references=references, features=features)


def _shown(predictions: Iterable[Prediction], what: str, n: int) -> Iterator[Prediction]:
    """``predictions`` of ``n`` structures, whose progress is reported."""
    work, done = Work(what), 0
    for prediction in predictions:
        yield prediction
        done += len(prediction.index)
        work(done, done / n)
    work.over()


def _add(errors: Errors, dataset: Dataset, prediction: Prediction, *, extended: bool) -> None:
    errors.update(
        prediction.targets,
        prediction.labels,
        prediction.n_atoms,
        prediction.volumes,
        types=_types(dataset, prediction) if extended else None,
    )


def _types(dataset: Dataset, prediction: Prediction) -> Tensor:
    """[n_atoms] int64 of a batch, index into the elements of the data set."""
    elements = torch.tensor(dataset.info.atomic_types)
    types = torch.searchsorted(elements, dataset.select(prediction.index.cpu()).types)
    return types.to(prediction.n_atoms.device)


def labelled(errors: Errors) -> dict[str, float]:
    """Name to error, of the quantities that have labels."""
    counts = errors.counts()
    return {
        name: value
        for name, value in errors.compute().items()
        if counts[name if name in counts else name.rpartition(" ")[0]]
    }


def error_rows(info: DatasetInfo, errors: Errors) -> list[Row]:
    """A table of ``errors`` for the targets of ``info``; without quantities that lack labels."""
    shown = {metric.name: metric for metric in display(info, labelled(errors))}
    rows = []
    for quantity, count in errors.counts().items():
        if f"{quantity} RMSE" in shown:
            root, worst = shown[f"{quantity} RMSE"], shown.get(f"{quantity} MaxAE")
            maximum = None if worst is None else worst.value
            mean = shown[f"{quantity} MAE"].value
            rows.append(Row(quantity, root.value, mean, root.unit, count, maximum))
    return rows
