"""The loss of derivatives that are used by default, once it is known whether the data have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mtt.data.info import DatasetInfo
from mtt.options import Options, RawOptions

_SECTIONS = {"positions": ("forces",), "strain": ("stress", "virial")}
"""Derivative to the sections of a target that hold its labels."""


def drop_losses_without_labels(options: Options, raw: RawOptions, info: DatasetInfo) -> Options:
    """``options`` without losses of derivatives that are a default and that no file has.

    Derivatives that are used by default may be missing in the data; then they have no loss either.
    A loss that is written stays, so that the trainer refuses it.

    :param raw: the options as they are written.
    """
    training = options.architecture["training"]
    if not isinstance(training.get("loss"), dict):
        return options
    absent = list(_absent(options, info))
    stages = training.get("stages")
    kept: dict[str, Any] = {**training, "loss": _without(training["loss"], absent, _written(raw))}
    if isinstance(stages, list):
        kept["stages"] = [
            {**stage, "loss": _without(stage["loss"], absent, _written(raw, i))}
            if isinstance(stage.get("loss"), dict)
            else stage
            for i, stage in enumerate(stages)
        ]
    return replace(options, architecture={**options.architecture, "training": kept})


def _absent(options: Options, info: DatasetInfo) -> Iterator[tuple[str, str]]:
    """Target and derivative where no section is written and no label is found."""
    for name, target in info.targets.items():
        for derivative, sections in _SECTIONS.items():
            written = any(
                (section := getattr(one.targets[name], key)) is not None and section.explicit
                for one in options.training_set
                if name in one.targets
                for key in sections
            )
            if not written and derivative not in target.gradients:
                yield name, derivative


def _written(raw: RawOptions, stage: int | None = None) -> Any:
    """The loss as the file has it, of the training or of a stage."""
    section: Any = raw.written
    path = ["architecture", "training", *([] if stage is None else ["stages", stage]), "loss"]
    for key in path:
        if isinstance(section, Mapping):
            section = section.get(key)
        elif isinstance(section, list) and isinstance(key, int) and key < len(section):
            section = section[key]
        else:
            return None
    return section


def _without(
    loss: Mapping[str, Any], absent: list[tuple[str, str]], written: Any
) -> dict[str, Any]:
    kept = {name: dict(section) for name, section in loss.items()}
    for name, derivative in absent:
        if name in kept and not _mentions(written, name, derivative):
            gradients = kept[name].get("gradients", {})
            kept[name]["gradients"] = {k: v for k, v in gradients.items() if k != derivative}
    return kept


def _mentions(written: Any, name: str, derivative: str) -> bool:
    section = written.get(name) if isinstance(written, Mapping) else None
    if not isinstance(section, Mapping):
        return False
    gradients = section.get("gradients")
    inner = gradients if isinstance(gradients, Mapping) else {}
    return derivative in inner or any(key in section for key in _SECTIONS[derivative])
