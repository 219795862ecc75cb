"""Predict data sets with a trained model, and score the predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mtt.data import Dataset, merge
from mtt.data.files.inputs import described
from mtt.evaluation import Report, output_paths
from mtt.evaluation import evaluate as evaluate_dataset
from mtt.evaluation.features import SampleKind
from mtt.evaluation.inputs import require_inputs
from mtt.evaluation.report import Follower
from mtt.evaluation.structure_table import check_group_key, table_paths, write_table
from mtt.fetching import is_address
from mtt.interface import ModelInterface
from mtt.options import DatasetOptions, load_eval_options
from mtt.workflows.overwriting import Named, files_of_data_sets, refuse_overwriting
from mtt.workflows.reporting.evaluated import EvaluationPage, check_page
from mtt.workflows.run.datasets import read_with_notices
from mtt.workflows.run.folder import check_writable
from mtt.workflows.run.load_model import load_model

if TYPE_CHECKING:
    from metatomic.torch import AtomisticModel


@dataclass(frozen=True)
class EvaluatedSet:
    """One data set of ``mtt eval``.

    :param output: the file with the predictions, if one was asked for; ``out_*.mts`` of those of
        metatensor.
    :param table: the file with the errors of each structure, if one was asked for.
    """

    name: str
    report: Report
    output: Path | None
    table: Path | None = None

    @property
    def files(self) -> list[str]:
        """Those that were written."""
        return [str(one) for one in (self.output, self.table) if one is not None]


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
    references: bool = False,
    per_structure: bool | str | Path = False,
    by: str | None = None,
    features: SampleKind | None = None,
    report: str | Path | None = None,
    architectures: Sequence[str | Path] = (),
) -> list[EvaluatedSet]:
    """Predict one or several data sets, and score what has labels.

    :param model: a model, or a file or address of one: ``.ckpt`` (best weights), ``.zip``, ``.pt``.
    :param options: a YAML file, or its content: data sets as in the options of a training;
        without ``targets`` everything is predicted and nothing scored.
    :param output: an ``.xyz`` or ``.mts`` file for the predictions; several data sets are numbered.
    :param check_consistency: have metatomic check all that goes in and comes out.
    :param warm_up: run up to three batches before the time is taken: TorchScript compiles then.
    :param extensions: folder of extensions that an exported model of another program needs.
    :param extended: errors of elements and components, angles and largest errors too.
    :param token: for the server of an address, if it asks for one.
    :param references: write labels beside the predictions.
    :param per_structure: keep the errors of each structure (``report.structures``), or name a
        ``.csv`` or ``.parquet`` file for them; several data sets are numbered.
    :param by: a key of the structures (``config_type``) for ``report.structures.by_group(by)``.
    :param features: also write features of each ``"atom"``, or their sums over each ``"system"``.
    :param report: an ``.html`` file for a page with parity plots and the worst structures.
    :raises MttError: the model, the options, the data or the output cannot be used.
    """
    datasets = load_eval_options(options)
    files = _written(_Asked(output, per_structure, report), len(datasets), _read(model, options))
    loaded = _loaded(model, architectures, extensions, token)
    read = _checked(loaded, read_with_notices(datasets), by)
    page_of = None if report is None else partial(EvaluationPage, report, model, loaded, device)
    score_one = partial(
        evaluate_dataset, loaded, batch_size=batch_size, device=device, extended=extended,
        check_consistency=check_consistency, references=references,
        per_structure=bool(per_structure) or by is not None, features=features,
    )  # fmt: skip
    score_all = partial(_all, partial(_evaluated, score_one, 3 * warm_up, batch_size))
    return score_all(_names(datasets), read, files, page_of, by)


def _all(
    evaluate_one: Callable[..., EvaluatedSet],
    names: Sequence[str],
    read: Sequence[Dataset],
    files: Sequence[Sequence[Path | None]],
    page_of: Callable[..., EvaluationPage] | None,
    by: str | None,
) -> list[EvaluatedSet]:
    """All data sets, one after the other, and then the page of all of them."""
    page = None if page_of is None else page_of([*zip(names, read, strict=True)])
    followers = [None] * len(read) if page is None else page.followers
    sets = zip(names, read, followers, *files, strict=True)
    found = [evaluate_one(*one) for one in sets]
    if page is not None:
        page.write([one.report for one in found], [one.files for one in found], by)
    return found


def _names(datasets: Sequence[DatasetOptions]) -> list[str]:
    return [one.name or described(one.systems.read_from) for one in datasets]


def _loaded(
    model: str | Path | ModelInterface | AtomisticModel,
    architectures: Sequence[str | Path],
    extensions: str | Path | None,
    token: str | None,
) -> ModelInterface | AtomisticModel:
    if isinstance(model, str | Path):
        return load_model(model, architectures=architectures, extensions=extensions, token=token)
    return model


def _checked(
    model: ModelInterface | AtomisticModel, read: list[Dataset], by: str | None
) -> list[Dataset]:
    """``read``, whose structures all have the key ``by``, and the inputs of ``model``."""
    if by is not None:
        check_group_key(by, read)
    require_inputs(model, read)
    return read


def _evaluated(
    score_one: Callable[..., Report],
    most: int,
    batch_size: int,
    name: str,
    dataset: Dataset,
    follow: Follower | None,
    output: Path | None,
    table: Path | None,
) -> EvaluatedSet:
    """The errors of one data set, with its files written; ``most`` batches run before."""
    what = f"evaluating {name}"
    warm_up = min(most, len(dataset) // batch_size)
    report = score_one(dataset, output=output, warm_up=warm_up, what=what, follow=follow)
    if table is not None and report.structures is not None:
        write_table(table, report.structures)
    written = output
    if output is not None and output.suffix == ".mts":
        written = output.with_name(f"{output.stem}_*.mts")
    return EvaluatedSet(name, report, written, table)


class _Asked(NamedTuple):
    """What is to be written, as the caller names it."""

    output: str | Path | None
    table: bool | str | Path
    page: str | Path | None


def _written(
    asked: _Asked, n: int, read: Iterable[Named]
) -> tuple[list[Path | None], list[Path | None]]:
    """The files of ``n`` data sets, checked: predictions, and errors of structures."""
    outputs: list[Path | None] = [None] * n
    tables: list[Path | None] = [None] * n
    if asked.output is not None:
        outputs = [*output_paths(asked.output, n)]
    if not isinstance(asked.table, bool):
        tables = [*table_paths(Path(asked.table), n)]
    written = [Named(path, "the predictions") for path in outputs if path is not None]
    written += [Named(path, "the errors of structures") for path in tables if path is not None]
    if asked.page is not None:
        page = Path(asked.page)
        check_page(page)
        written.append(Named(page, "the report"))
    for file in written:
        check_writable(file.path)
    refuse_overwriting(written, read)
    return outputs, tables


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
    follow: Callable[[str], Follower | None] = lambda part: None,
) -> dict[str, Report]:
    """Errors of ``model`` on the parts of a run, by name.

    Of several validation or test sets, also those of each one that has a name:
    ``validation``, ``validation bulk``, ``validation surfaces``.

    :param follow: of a name, what gets its predictions.
    """
    scored: dict[str, Dataset] = {}
    for part, sets in parts.items():
        scored[part] = merge(sets)
        if part != "training" and len(sets) > 1:
            scored |= {f"{part} {one.name}": one for one in sets if one.name}
    return {
        name: evaluate_dataset(
            model,
            dataset,
            batch_size=batch_size,
            device=device,
            extended=extended,
            what=f"evaluating the {name} set",
            follow=follow(name),
        )
        for name, dataset in scored.items()
    }
