"""The model and the trainer that a run starts with: new, restarted, or fine-tuned."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mtt.data import DatasetInfo, merge
from mtt.errors import CheckpointError, ConfigError, MttError, Problem
from mtt.interface import ModelInterface, TrainerInterface
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.fine_tune import fine_tune
from mtt.mlip.finetune.new_inputs import free_hypers
from mtt.nn import building
from mtt.options import Options, RawOptions
from mtt.options.training import FinetuneOptions, TrainingOptions
from mtt.options.training.finetune import SECTION
from mtt.registry import Architecture
from mtt.training.numerics.determinism import deterministic
from mtt.workflows.bounded import read_by
from mtt.workflows.finetune.equality import compare_at_step_zero
from mtt.workflows.finetune.labels import AgainstLabels, compare_with_labels
from mtt.workflows.finetune.replay.forgetting import REPLAYED, before
from mtt.workflows.finetune.source import Source, Wanted, check_file, read_source
from mtt.workflows.plan import Plan
from mtt.workflows.restart.source import Restart, with_its_options
from mtt.workflows.run.load_model import model_from

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """What a run starts with.

    :param provenance: where the weights come from, for the checkpoint.
    :param labels: of a fine-tuning: how far its first predictions are from the labels.
    """

    model: ModelInterface
    trainer: TrainerInterface
    provenance: dict[str, Any]
    labels: AgainstLabels | None = None


def with_its_start(
    options: Options,
    raw: RawOptions,
    resumed: Restart | None,
    architecture: Architecture,
    folders: Sequence[str | Path] = (),
) -> Options:
    """``options`` as the run that is resumed wants them; a new run's source has to be there.

    The data, which can take minutes to read, are read after it.

    :raises CheckpointError: options differ from the run's that a running training cannot take;
        the file to fine-tune is missing, or of another kind.
    """
    if resumed is not None:
        return with_its_options(options, raw, resumed, folders)
    check_file(options.architecture, architecture)
    return options


def new_model(
    architecture: Architecture,
    hypers: Mapping[str, Any],
    info: DatasetInfo,
    dtype: torch.dtype,
    seed: int,
) -> Start:
    """A model with random weights, which follow from ``seed`` alone."""
    with building(seed, dtype):
        model = architecture.model(hypers["model"], info)
    return Start(model, architecture.trainer(hypers["training"]), {"start": "new"})


def fine_tuned(plan: Plan) -> Start:
    """The best weights of another run, with a new optimizer and schedule.

    Where the labels have another reference than the source, baselines are refitted as
    ``finetune.baseline`` says.

    :raises MttError: the source does not fit the options or the data; predictions of the
        model differ from the source's without a known reason.
    """
    architecture, hypers, data = plan.architecture, plan.options.architecture, plan.data
    options = plan.training
    source, checkpoint, _, facts = _source(plan)
    with _located(facts["path"]):
        made = _made(source, checkpoint, plan)
    notes = [*made.notes, *_cast(source, plan.dtype)]
    found = compare_at_step_zero(source, made.aligned, made.counterparts, data.training, notes)
    second = {} if plan.replay is None else plan.replay.second_heads
    with deterministic(options.deterministic):
        labels = compare_with_labels(
            made.model, source, made.counterparts, data.training, options, plan.device, second
        )
    provenance = {
        "start": "finetune",
        **_method(options.finetune),
        "source": facts,
        "step_0": {**found, "labels": {} if labels is None else labels.facts},
        **_measured(plan, source, made.model),
    }
    return Start(made.model, architecture.trainer(hypers["training"]), provenance, labels)


def _measured(plan: Plan, source: ModelInterface, model: ModelInterface) -> dict[str, Any]:
    """Errors on held structures of the replay before the training, for the provenance."""
    if plan.replay is None:
        return {}
    assert isinstance(source, MLIPModel), "others have no replay"
    assert isinstance(model, MLIPModel), "others have no replay"
    asked = plan.training.finetune.replay
    assert asked is not None, "it is where the structures are from"
    return {REPLAYED: before(plan.replay, source, model, asked.labels)}


def _source(plan: Plan) -> Source:
    """The model to fine-tune, checked to be of the architecture and with the options of the run."""
    architecture, hypers, data = plan.architecture, plan.options.architecture["model"], plan.data
    name = plan.training.finetune.read_from
    assert name is not None, "fine-tuning was asked for"
    of_run = (plan.dtype, plan.options.seed, plan.folders)
    found = read_source(Wanted(name, architecture, hypers, data.info, *of_run))
    path = found.facts["path"]
    if not found.checkpoint:
        log.info("fine-tuning %s, whose weights %s has", path, architecture.name)
        return found
    _check_architecture(found.origin, architecture, path)
    best = found.checkpoint.get("best_epoch")
    epoch = f" (epoch {best})" if best else ""
    log.info("fine-tuning the best weights of %s%s", path, epoch)
    _check_hypers(found.model, hypers, path, _renewed(found.model, data.info))
    return found


class _Made(NamedTuple):
    """What :class:`mtt.mlip.finetune.fine_tune.FineTuned` is, for any architecture."""

    model: ModelInterface
    aligned: ModelInterface
    counterparts: dict[str, str]
    notes: list[str]


def _made(source: ModelInterface, checkpoint: dict[str, Any], plan: Plan) -> _Made:
    architecture, data = plan.architecture, plan.data
    if isinstance(source, MLIPModel):
        dataset, model_hypers = merge(data.training), plan.options.architecture["model"]
        second = {} if plan.replay is None else plan.replay.second_heads
        given = (source, model_hypers, data.info, dataset, plan.training, second)
        return _Made(*fine_tune(*given))
    asked, plain = _method(plan.training.finetune), _method(FinetuneOptions())
    # nothing is ever refitted here
    different = [key for key in asked if asked[key] not in (plain[key], "keep")]
    if different:
        problem = f"{architecture.name} is trained in full: it does not build on MLIPModel"
        raise ConfigError.collect(
            [Problem(problem, f"{SECTION}.{key}", "leave it out") for key in different]
        )
    # restart() may change what it is called on
    model = model_from(checkpoint, architecture, "finetune").restart(data.info)
    shared = [name for name in data.info.targets if name in source.dataset_info.targets]
    return _Made(model, copy.deepcopy(model), {name: name for name in shared}, [])


def _renewed(source: ModelInterface, info: DatasetInfo) -> set[str]:
    """Options of the model that may differ: of targets that come or go, of new inputs."""
    options = source.__target_hypers__ if isinstance(source, MLIPModel) else ()
    changed = set(source.dataset_info.targets) ^ set(info.targets)
    inputs = free_hypers(source) if isinstance(source, MLIPModel) else set()
    return inputs | {f"architecture.model.{option}.{n}" for option in options for n in changed}


def _cast(source: ModelInterface, dtype: torch.dtype) -> list[str]:
    if not isinstance(source, MLIPModel) or source.dtype == dtype:
        return []
    names = [str(one).removeprefix("torch.") for one in (source.dtype, dtype)]
    return [f"weights are rounded from {names[0]} to {names[1]} after this comparison"]


def restarted(
    restart: Restart,
    architecture: Architecture,
    hypers: Mapping[str, Any],
    options: TrainingOptions,
    info: DatasetInfo,
) -> Start:
    """The run of a checkpoint, to resume where it stopped."""
    checkpoint, path = restart.checkpoint, restart.path
    _check_architecture(restart.architecture, architecture, path)
    _check_finetuning(restart, options.finetune)
    model = model_from(checkpoint, architecture, "restart", path)
    _check_hypers(model, hypers["model"], path)
    with _located(path):
        model = model.restart(info)
    with read_by(f"the trainer of {architecture.name!r}", str(path)):
        trainer = architecture.trainer.load_checkpoint(
            checkpoint, dict(hypers["training"]), "restart"
        )
    return Start(model, trainer, {**restart.provenance, "restarted_from": str(path)})


def _check_finetuning(restart: Restart, finetune: FinetuneOptions) -> None:
    """A fine-tuned run can only be resumed with the same fine-tuning options."""
    known = restart.provenance
    if known.get("start") != "finetune":
        return
    rows = _differences(_method(FinetuneOptions.of(known)), _method(finetune), SECTION)
    if not finetune.read_from:
        rows.append((f"{SECTION}.read_from", known["source"]["path"], None))
    if rows:
        hint = "put it back, or fine-tune this checkpoint instead of restarting it"
        raise CheckpointError.collect(
            [
                Problem(
                    f"{key} is {new!r} in the options and {old!r} in the run",
                    str(restart.path),
                    hint,
                )
                for key, old, new in rows
            ]
        )


def _method(finetune: FinetuneOptions) -> dict[str, Any]:
    """How a model is made from its source, in plain types, for the provenance."""
    return {key: value for key, value in finetune.plain().items() if key != "read_from"}


def _check_architecture(origin: Architecture, architecture: Architecture, path: str | Path) -> None:
    if origin.name != architecture.name:
        raise CheckpointError(
            f"this is a checkpoint of {origin.name!r}; the options ask for {architecture.name!r}",
            where=str(path),
            hint="set architecture.name to the checkpoint's",
        )


def _check_hypers(
    model: ModelInterface,
    wanted: Mapping[str, Any],
    path: str | Path,
    free: Collection[str] = (),
) -> None:
    """Refuse options of the model that are not the checkpoint's, but for the keys ``free``."""
    rows = _differences(model.hypers, wanted, "architecture.model")
    problems = [
        Problem(
            f"{key} is {new!r} in the options and {old!r} in the checkpoint",
            where=str(path),
            hint="a trained model keeps its options, fine-tuned or restarted; put it back, or "
            "train a new model",
        )
        for key, old, new in rows
        if key not in free
    ]
    if problems:
        raise CheckpointError.collect(problems)


@contextmanager
def _located(path: str | Path) -> Iterator[None]:
    """Errors without a place are about the checkpoint."""
    try:
        yield
    except MttError as error:
        found = [one if one.where else one._replace(where=str(path)) for one in error.problems]
        raise type(error).collect(found) from error


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str
) -> list[tuple[str, Any, Any]]:
    rows: list[tuple[str, Any, Any]] = []
    for key in sorted({*old, *new}, key=str):
        before, after = old.get(key), new.get(key)
        if before == after and (key in old) == (key in new):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            rows += _differences(before, after, f"{prefix}.{key}")
        else:
            rows.append((f"{prefix}.{key}", before, after))
    return rows
