"""What is known of an architecture: for its page in the manual and for ``mtt architectures``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.options.schema.table import Row, Source, rows
from mtt.options.schema.validate import TRAINING
from mtt.registry import PAGE, Architecture, Found
from mtt.training import MLIPTrainer


@dataclass(frozen=True)
class Facts:
    """An architecture, as described by its folder and its classes.

    :param summary: one line.
    :param prose: its ``README.md``; empty where there is none.
    :param glance: what it is in a few words: pairs of a heading and a text.
    :param papers: addresses.
    :param engine: whether the platform's engine trains it.
    :param unpromised: checks of ``mtt.testing`` that it does not promise to pass, with reasons.
    :param model_rows: options of the model; empty where no schema describes them.
    :param training_rows: options of the architecture's own trainer; empty for the platform's.
    """

    architecture: Architecture
    summary: str
    prose: str
    glance: tuple[tuple[str, str], ...]
    papers: tuple[str, ...]
    engine: bool
    unpromised: Mapping[str, str]
    model_rows: tuple[Row, ...]
    training_rows: tuple[Row, ...]


def gather(found: Found) -> Facts:
    """Load an architecture and describe it.

    :raises ArchitectureError: it cannot be loaded.
    """
    one = found.load()
    page = found.folder / PAGE
    references: Mapping[str, list[str]] = one.model.__default_metadata__.references
    papers = [*references.get("architecture", ()), *references.get("implementation", ())]
    return Facts(
        architecture=one,
        summary=found.summary,
        prose=page.read_text(encoding="utf-8") if page.is_file() else "",
        glance=tuple(_glance(one)),
        papers=tuple(dict.fromkeys(papers)),
        engine=issubclass(one.trainer, MLIPTrainer),
        unpromised=dict(one.model.__conformance_exceptions__),
        model_rows=_rows(one, "model"),
        training_rows=_rows(one, "training"),
    )


def _glance(one: Architecture) -> Iterator[tuple[str, str]]:
    model = one.model
    yield "state", f"{one.state}: {one.deprecation}" if one.deprecation else one.state
    yield "predicts", _targets(model)
    yield "devices", ", ".join(model.__supported_devices__)
    dtypes = [str(dtype).removeprefix("torch.") for dtype in model.__supported_dtypes__]
    yield "precisions", ", ".join(dtypes)
    own = "its own trainer"
    yield "trained by", "the platform's engine" if issubclass(one.trainer, MLIPTrainer) else own
    yield "fine-tuning", _finetuning(model)
    if issubclass(model, MLIPModel) and model.__target_hypers__:
        yield "options per target", ", ".join(model.__target_hypers__)
    if issubclass(model, MLIPModel) and model.__no_weight_decay__:
        yield "spared by weight decay", ", ".join(model.__no_weight_decay__)
    yield "authors", _people(one.authors)
    yield "maintainers", _people(one.maintainers)


def _targets(model: type[ModelInterface]) -> str:
    if not issubclass(model, MLIPModel):
        return "what its code accepts; it does not declare it"
    named = {"energy": "energy, with forces and stress", "scalar": "scalar of a structure"}
    kinds = [named.get(kind, kind) for kind in model.__supported_targets__]
    several = model.predict is not MLIPModel.predict
    return "; ".join(kinds) + ("; several targets at once" if several else "; one target")


def _finetuning(model: type[ModelInterface]) -> str:
    if not issubclass(model, MLIPModel):
        return "full, by its own code"
    heads = model.head_modules is not MLIPModel.head_modules
    elements = model.extend_elements is not MLIPModel.extend_elements
    return "; ".join(
        [
            "full, frozen parts, low-rank corrections of linear layers",
            "heads, replay by second heads" if heads else "heads only where the options name them",
            "new elements" if elements else "no new elements",
        ]
    )


def _people(people: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({handle})" if handle else name for name, handle in people)


def _rows(one: Architecture, section: str) -> tuple[Row, ...]:
    properties: Mapping[str, Any] = (one.schema or {}).get("properties", {})
    part = properties.get(section, {})
    if one.schema is None or part.get("$ref") == TRAINING:
        return ()
    # the section refers to $defs beside it
    return tuple(rows(Source({**one.schema, **part}, one.default_hypers[section])))
