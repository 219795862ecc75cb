"""``finetune.replay``: structures that keep, or measure, what the source knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mtt.options.training.option import Form, option
from mtt.options.yaml.places import Fault, KeyPath

_DATA = Form(
    lambda: {
        "type": ["string", "array", "object", "null"],
        "items": {"type": "string"},
        "minItems": 1,
    },
    lambda value: dict(value) if isinstance(value, Mapping) else value,
    lambda value: dict(value) if isinstance(value, Mapping) else value,
)


@dataclass(frozen=True)
class ReplayOptions:
    """Structures of the kind that the source was trained on, and what is done with them.

    With ``method: replay`` the model learns them beside the new data, by a second head that keeps
    the reference of the source; with any other method they are only predicted, before and after
    the training.
    """

    data: str | list[str] | Mapping[str, Any] | None = option(
        None,
        "A file of structures, a list of files, or a data set with systems, targets and extra_data "
        "as in training_set. Only structures whose elements are all in the training set are used.",
        form=_DATA,
    )
    number: int | None = option(
        None,
        "Structures taken from data; null takes as many as the training set has, or all.",
        minimum=1,
    )
    select: Literal["fps", "random"] = option(
        "fps",
        "How they are chosen. fps: farthest-point sampling over the last-layer features of the "
        "source, averages over the atoms of a structure; random: at random, from the seed.",
    )
    weight: float = option(
        1.0,
        "Weight of the replayed structures in the loss: loss of the new labels + weight * loss of "
        "the replayed ones.",
        exclusiveMinimum=0,
    )
    labels: Literal["source", "file"] = option(
        "source",
        "Labels of the replayed structures. source: the source predicts them before the training; "
        "file: those of data, which must be of the source's reference.",
    )
    held: float = option(
        0.1,
        "Fraction of the structures that is not learned: it is part of the validation, and the "
        "report on forgetting is about it. Chosen at random, from the seed.",
        exclusiveMinimum=0,
        exclusiveMaximum=1,
    )


def replay_faults(section: Mapping[str, Any] | None, method: str, path: KeyPath) -> Iterator[Fault]:
    """Mistakes that the schema cannot express.

    :param section: valid by the schema; None where there is not any.
    :param path: of the section ``finetune``.
    """
    given = dict(section or {})
    learns = method == "replay"
    if (learns or given) and not given.get("data"):
        hint = "a file of structures like those that the source was trained on"
        yield Fault((*path, "replay", "data"), "there is nothing to replay", hint)
    data = given.get("data")
    if isinstance(data, Mapping) and "targets" in data and given.get("labels") != "file":
        what = "labels: source predicts the labels, and would not read those of targets"
        yield Fault((*path, "replay", "data", "targets"), what, "leave them out, or labels: file")
    if learns:
        return
    for key in ("weight", "select"):
        if key in given:
            what = f"method {method} does not learn the replayed structures: it predicts them only"
            hint = "leave it out, or use method: replay"
            yield Fault((*path, "replay", key), what, hint)
