"""Predict data sets with a trained model, and score the predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtt.data import Dataset, merge
from mtt.data.files.inputs import described
from mtt.evaluation import Report, output_paths
from mtt.evaluation import evaluate as evaluate_dataset
from mtt.fetching import is_address
from mtt.interface import ModelInterface
from mtt.options import load_eval_options
from mtt.workflows.overwriting import Named, files_of_data_sets, refuse_overwriting
from mtt.workflows.run.datasets import read_with_notices
from mtt.workflows.run.folder import check_writable
from mtt.workflows.run.load_model import load_model

if TYPE_CHECKING:
    from metatomic.torch import AtomisticModel


@dataclass(frozen=True)
class EvaluatedSet:
    """One data set of ``mtt eval``.

    :param output: the file with the predictions, if one was asked for.
    """

    name: str
    report: Report
    output: Path | None


def evaluate(
    model: str | Path | ModelInterface | AtomisticModel,
    options: str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    output: str | Path | None = None,
    batch_size: int = 1,
    device: str = "cpu",
    check_consistency: bool = False,
    warm_up: bool = True,
    extensions: str | Path | None = None,
    extended: bool = False,
    token: str | None = None,
    architectures: Sequence[str | Path] = (),
) -> list[EvaluatedSet]:
    """Predict one or several data sets, and score what has labels.

    :param model: a model, or a file or address of one: ``.ckpt`` (best weights), ``.zip``, ``.pt``.
    :param options: a YAML file, or its content: a data set as in the options of a training
        (``targets`` may be left out: then everything is predicted and nothing scored), or a
        list of them.
    :param output: an ``.xyz`` file for the predictions; several data sets are numbered.
    :param check_consistency: have metatomic check everything that goes in and comes out.
    :param warm_up: run up to three batches before the time is taken: TorchScript compiles then.
    :param extensions: folder of the extensions that an exported model of another program needs.
    :param extended: errors of elements and components, angles and largest errors too.
    :param token: for the server of an address, if it asks for one.
    :return: errors and timing of every data set, in their order.
    :raises MttError: the model, the options, the data or the output cannot be used.
    """
    datasets = load_eval_options(options)
    outputs = _outputs(output, len(datasets), _read(model, options))
    if isinstance(model, str | Path):
        model = load_model(model, architectures=architectures, extensions=extensions, token=token)
    evaluated, read = [], read_with_notices(datasets)
    for one, dataset, path in zip(datasets, read, outputs, strict=True):
        report = evaluate_dataset(
            model,
            dataset,
            output=path,
            batch_size=batch_size,
            device=device,
            check_consistency=check_consistency,
            warm_up=min(3, len(dataset) // batch_size) if warm_up else 0,
            extended=extended,
        )
        evaluated.append(EvaluatedSet(one.name or described(one.systems.read_from), report, path))
    return evaluated


def _outputs(
    output: str | Path | None, n: int, read: Iterator[Named]
) -> Sequence[Path] | Sequence[None]:
    """A file for each of ``n`` data sets, which can be written and is none of those to be read."""
    written = [] if output is None else [*output_paths(output, n)]
    for file in written:
        check_writable(file)
    refuse_overwriting([Named(file, "the predictions") for file in written], read)
    return written or [None] * n


def _read(model: object, options: object) -> Iterator[Named]:
    """All files that the command reads: the model, the options, and what these name."""
    if isinstance(model, str | Path) and not is_address(model):
        yield Named(Path(model), "the model")
    yield from files_of_data_sets(options)


def score(
    model: ModelInterface,
    parts: Mapping[str, Sequence[Dataset]],
    batch_size: int,
    device: str,
    extended: bool = False,
) -> dict[str, Report]:
    """Errors of ``model`` on the parts of a run, by name.

    Of several validation or test sets, also those of each one that has a name:
    ``validation``, ``validation bulk``, ``validation surfaces``.
    """
    scored: dict[str, Dataset] = {}
    for part, sets in parts.items():
        scored[part] = merge(sets)
        if part != "training" and len(sets) > 1:
            scored |= {f"{part} {one.name}": one for one in sets if one.name}
    return {
        name: evaluate_dataset(
            model, dataset, batch_size=batch_size, device=device, extended=extended
        )
        for name, dataset in scored.items()
    }
