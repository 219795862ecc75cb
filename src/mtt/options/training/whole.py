"""All training options, and the stages that a training may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mtt.options.training.baselines import BaselineOptions
from mtt.options.training.batches import BatchOptions
from mtt.options.training.finetune import FORM, FinetuneOptions
from mtt.options.training.loss import LossSection
from mtt.options.training.option import Form, definitions, option
from mtt.options.training.reporting import ReportingOptions
from mtt.options.training.schema import section_schema
from mtt.options.training.sections import (
    known,
    read_section,
    read_value,
    write_section,
    write_value,
)
from mtt.options.training.stopping import StoppingOptions
from mtt.options.training.weights import WeightOptions


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """One stage.

    :param name: empty where its number is its name.
    :param options: those of the training, with those of the stage over them.
    :param own: names of the options that the stage gives itself.
    """

    name: str = option("", "Name in messages and in the history; by default stage_1, stage_2 …")
    num_epochs: int = option(description="Epochs of this stage.", minimum=1)
    source: Literal["last", "best"] = option(
        "last",
        "Weights to begin with: the latest, or the best of the run so far. The first stage can "
        "only have last.",
        key="from",
    )
    options: TrainingOptions
    own: tuple[str, ...] = ()

    @classmethod
    def of(cls, section: Mapping[str, Any], whole: TrainingOptions) -> StageOptions:
        """Make the stage from checked values.

        :param whole: the options of the training, which the stage has where it gives none.
        """
        given = {one.name: section[one.key] for one in known(cls, section)}
        kept = {key: value for key, value in section.items() if key != "from"}
        own = tuple(one.name for one in known(TrainingOptions, kept) if one.in_stages)
        return cls(**given, options=whole.having(**kept), own=own)

    def plain(self) -> dict[str, Any]:
        """The way back, without what is of the whole training."""
        own = {one.key: one for one in definitions(TrainingOptions) if one.name in self.own}
        values = {key: write_value(one, getattr(self.options, key)) for key, one in own.items()}
        return {**write_section(self), **values}


def _stages_schema() -> dict[str, Any]:
    stage = section_schema(StageOptions)
    shared = [one.key for one in definitions(TrainingOptions) if one.in_stages]
    stage["properties"] |= {key: {"$ref": f"#/properties/{key}"} for key in shared}
    return {"type": ["array", "null"], "minItems": 1, "items": stage}


def _plain_stages(stages: Sequence[StageOptions] | None) -> list[dict[str, Any]] | None:
    return None if stages is None else [stage.plain() for stage in stages]


# fields come in the order of the bases from right to left
@dataclass(frozen=True)
class TrainingOptions(
    ReportingOptions, StoppingOptions, BaselineOptions, LossSection, WeightOptions, BatchOptions
):
    """The training options of the platform, checked.

    What an architecture's own trainer takes beside them stays in its ``hypers``.
    """

    stages: tuple[StageOptions, ...] | None = option(
        None,
        "Several trainings one after the other, each with a new optimizer and schedule. An option "
        "that a stage does not set has the value above. num_epochs is then the sum over the "
        "stages.",
        acts="from here",
        # read by TrainingOptions.of, which knows what the stages are laid over
        form=Form(_stages_schema, lambda stages: stages, _plain_stages),
    )
    finetune: FinetuneOptions = option(
        FinetuneOptions,
        "Start from the best weights of another run, with a new optimizer and schedule.",
        acts="before the first step",
        form=FORM,
    )

    @classmethod
    def of(cls, values: Any) -> TrainingOptions:
        """Make the options from checked values, see :func:`mtt.options.training.parse.parse`."""
        whole = read_section(cls, {key: value for key, value in values.items() if key != "stages"})
        sections = values.get("stages")
        if sections is None:
            return whole
        return replace(whole, stages=tuple(StageOptions.of(one, whole) for one in sections))

    @classmethod
    def keys(cls) -> list[str]:
        """The names of all options, as in files."""
        return [one.key for one in definitions(cls)]

    def having(self, **written: Any) -> TrainingOptions:
        """These options with some of them as they are written in a file; other names are left out.

        ``having(ema={"decay": 0.99})``
        """
        fields = known(type(self), written)
        return replace(self, **{one.name: read_value(one, written[one.key]) for one in fields})

    def to_hypers(self) -> dict[str, Any]:
        """The plain mapping that :func:`~mtt.options.training.parse.parse` makes these of.

        All options of the training are in it; of nested ones those that differ from their default.
        """
        return write_section(self, whole=True)


def training_schema() -> dict[str, Any]:
    """The JSON Schema (draft 7) of the options; lists of names in descriptions are not filled."""
    about = "Training options of every architecture that builds on MLIPTrainer."
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "mtt:training"}
    return {**head, "description": about, **section_schema(TrainingOptions)}
