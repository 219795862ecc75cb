"""What a fine-tuning forgets: errors on held structures before and after it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from ase.data import chemical_symbols

from mtt.data import Dataset
from mtt.evaluation import evaluate
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.baselines import columns
from mtt.workflows.finetune.replay.label import renamed, with_labels
from mtt.workflows.finetune.replay.make import Replay
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run_facts import FORGETTING

log = logging.getLogger(__name__)

REPLAYED = "replayed"
"""Key of the provenance under which :func:`before` is stored."""

_BATCH = 16

Errors = dict[str, dict[str, Any]]


def before(replay: Replay, source: MLIPModel, model: MLIPModel, labels: str) -> dict[str, Any]:
    """Errors of the source, and how much the model's baselines are moved; for the provenance.

    :param model: before its first step.
    :param labels: the option ``replay.labels``.
    """
    held = renamed(replay.held, dict(replay.heads))
    errors = _errors(source, held, {old: head for head, old in replay.heads.items()})
    moved = {
        head: _moved(source, old, model, head)
        for head, old in replay.heads.items()
        if replay.learned is None
    }
    return {
        "labels": labels,
        "learned": 0 if replay.learned is None else len(replay.learned),
        "held": len(replay.held),
        "heads": dict(replay.heads),
        "moved": moved,
        "before": errors,
    }


def report_forgetting(
    replay: Replay, model: ModelInterface, known: Mapping[str, Any], folder: RunFolder
) -> dict[str, Any]:
    """Compare the errors of the trained model with those before; log and write them.

    Where an offset of the labels was moved into the baseline before the first step, labels are
    moved by the same, so that the change of the reference does not count as forgetting.

    :param known: what :func:`before` found.
    """
    held = _with_offsets(replay.held, known.get("moved") or {})
    after = _errors(model, held, {})
    errors = {
        quantity: {**one, "after": after.get(quantity, {}).get("rmse")}
        for quantity, one in (known.get("before") or {}).items()
    }
    table = {
        quantity: {"before": one["rmse"], "after": one["after"], "unit": one["unit"]}
        for quantity, one in errors.items()
    }
    found = {
        "structures": len(replay.held),
        "labels": known.get("labels"),
        "learned": known.get("learned"),
        "rmse": table,
    }
    folder.write_json(FORGETTING, found)
    log.info("%s", line_of(found), extra={"result": True})
    return found


def line_of(found: Mapping[str, Any]) -> str:
    """All of it in one line."""
    n, whose = found["structures"], found["labels"]
    labels = "predictions of the source" if whose == "source" else "labels of their file"
    errors = "; ".join(
        f"{quantity} {one['before']:.4g} -> {one['after']:.4g} {one['unit']}".rstrip()
        for quantity, one in found["rmse"].items()
        if one["after"] is not None
    )
    return (
        f"forgetting: {errors} (RMSE before -> after, against {labels}, on {n} held structures "
        "of the replay)"
    )


def _errors(model: ModelInterface, held: Dataset, names: Mapping[str, str]) -> Errors:
    """RMSE by quantity, in the shown units; targets under the names of ``names``."""
    found: Errors = {}
    for target, info in held.info.targets.items():
        alone = held.keep_targets(held.info.with_targets({target: info}))
        head = names.get(target, target)
        for row in evaluate(model, alone, batch_size=_BATCH).rows:
            if not row.quantity.endswith(" total"):
                part = row.quantity.removeprefix(target).strip()
                found[f"{head} {part}".rstrip()] = {"rmse": row.rmse, "unit": row.unit}
    return found


def _moved(source: MLIPModel, old: str, model: MLIPModel, head: str) -> dict[str, float]:
    """What was added to the baseline of each element, where the target is one number."""
    if source.dataset_info.targets[old].properties != 1:
        return {}
    old_column, column = columns(source, old), columns(model, head)
    types = list(model.dataset_info.atomic_types)
    found = {}
    for row, z in enumerate(source.dataset_info.atomic_types):
        here = model.composition.values[types.index(z), column]
        change = here - source.composition.values[row, old_column]
        if bool(change.any()):
            found[chemical_symbols[int(z)]] = float(change.sum())
    return found


def _with_offsets(held: Dataset, moved: Mapping[str, Mapping[str, float]]) -> Dataset:
    if not any(moved.values()):
        return held
    labels = {}
    for name in held.info.targets:
        target, table = held.target(name), moved.get(name) or {}
        types = [chemical_symbols.index(symbol) for symbol in table]
        shift = held.composition(types) @ torch.tensor([*table.values()], dtype=torch.float64)
        labels[name] = target._replace(values=target.values + shift[:, None])
    return with_labels(held, labels, held.info.targets)
