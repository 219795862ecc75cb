"""The text of an options file, with a comment at each choice; and the file beside its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mtt.drafting.content import Content
from mtt.drafting.free_atoms import free_atoms
from mtt.drafting.labels import Chosen
from mtt.drafting.sizes import Sizes
from mtt.drafting.tensors import tensors_of
from mtt.drafting.trial import Timed
from mtt.errors import ConfigError
from mtt.registry.whole_schema import whole_schema
from mtt.scanning import Finding

SCHEMA = Path(".mtt") / "options.schema.json"
"""Where the schema is, relative to the options file."""

SEED = 1
"""Of the file, so that the training has the split that was looked at."""

_LISTED = 10


class Parts(NamedTuple):
    """What the text says."""

    content: Content
    labels: Chosen
    sizes: Sizes
    architecture: str
    cutoff: str  # place of the cutoff; empty where it is not known
    model: Mapping[str, Any]
    training: tuple[str, ...]  # its options that the file has
    findings: Sequence[Finding]
    hours: float | None
    timed: Timed | None
    memory: str  # of a training step; empty where none was tried


def training_of(sizes: Sizes) -> dict[str, Any]:
    """``architecture.training``."""
    batch: dict[str, Any] = {"batch_size": sizes.batch_size}
    if sizes.batch_atoms is not None:
        batch = {"max_atoms_per_batch": sizes.batch_atoms}
    return {**batch, "num_epochs": sizes.epochs}


def data_of(content: Content, labels: Chosen, sizes: Sizes) -> dict[str, Any]:
    """``training_set``, ``validation_set`` and ``test_set``."""
    names = content.names
    systems = {
        "read_from": names[0] if len(names) == 1 else list(names),
        "length_unit": content.length_unit[0],
    }
    training = {"systems": systems, "targets": _targets(labels)}
    if labels.inputs:
        training["extra_data"] = dict(labels.inputs)
    return {
        "training_set": training,
        "validation_set": sizes.validation,
        "test_set": sizes.test,
    }


def text_of(parts: Parts) -> str:
    """The whole file."""
    return "\n".join([*_head(parts), *_architecture(parts), *_data(parts), ""])


def save(text: str, path: Path, folders: tuple[Path, ...] = ()) -> None:
    """Write the options file, and the schema that its first line names.

    :raises ConfigError: the file exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        schema = path.parent / SCHEMA
        schema.parent.mkdir(exist_ok=True)
        schema.write_text(json.dumps(whole_schema(folders=folders), indent=1), encoding="utf-8")
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error


def refuse_existing(path: Path) -> None:
    """Raise before any work where the file is there already.

    :raises ConfigError: it exists, or its folder does not.
    """
    if path.exists() or path.is_symlink():
        raise _exists(path)
    if not path.resolve().parent.is_dir():
        hint = f"make it first: mkdir -p {path.parent}"
        raise ConfigError("the folder does not exist", where=str(path), hint=hint)


def _exists(path: Path) -> ConfigError:
    hint = "it is never overwritten: name another file with -o"
    return ConfigError("exists already", where=str(path), hint=hint)


# ------------------------------------------------------------------------- text


def _head(parts: Parts) -> Iterator[str]:
    content = parts.content
    n, sizes = len(content.frames), content.n_atoms
    least, most = int(sizes.min()), int(sizes.max())
    of = f"{least} atom{'s' * (least > 1)}" if least == most else f"{least} to {most} atoms"
    yield f"# yaml-language-server: $schema={SCHEMA.as_posix()}"
    yield f"# Written by `mtt init` for {', '.join(content.names[:_LISTED])}:"
    yield f"# {n:,} structures of {of}, {content.periodicity}; {', '.join(content.elements)}"
    if parts.findings:
        n = len(parts.findings)
        things = f"{n} thing{'s' * (n > 1)}"
        yield f"# {things} to look at in the data: `mtt check` with this file lists them"
    yield ""
    yield f"seed: {SEED}"
    yield ""


def _architecture(parts: Parts) -> Iterator[str]:
    sizes = parts.sizes
    yield "architecture:"
    yield f"  name: {parts.architecture}  # `mtt architectures` lists others"
    if parts.model:
        yield f"  # size: for {sizes.n_labels:,} reference values ({_counted(parts.labels)})"
        if parts.cutoff:
            n, unit = f"{sizes.neighbors:.0f}", parts.content.length_unit[0]
            yield f"  # cutoff: {sizes.cutoff:g} {unit}; an atom has {n} neighbours within it"
        yield "  model:"
        yield from _nested(parts.model, 4)
    comments = {
        "max_atoms_per_batch": f"structures differ much in size{_memory(parts)}",
        "batch_size": f"structures{_memory(parts)}",
        "num_epochs": _why(parts),
    }
    yield "  training:" if parts.training else "  training: {}"
    for key, value in training_of(sizes).items():
        if key in parts.training:
            yield f"    {key}: {value}  # {comments[key]}"
    baselines = free_atoms(parts.content, parts.labels)
    if baselines:
        given = ", ".join(f"{symbol}: {energy:.12g}" for symbol, energy in baselines.items())
        yield "    # energies of free atoms, for dissociation; without them, baselines are fitted"
        yield f"    # atomic_baseline: {{energy: {{{given}}}}}"
    yield ""


def _why(parts: Parts) -> str:
    if parts.timed is None or parts.hours is None:
        return "about 20,000 steps, between 20 and 2,000 epochs; --hours H fits them into a time"
    return f"{parts.hours:g} h here: an epoch took {parts.timed.epoch:.3g} s in a trial"


def _counted(labels: Chosen) -> str:
    energies = "energies" if labels.energy else labels.scalar and f"{labels.scalar} of structures"
    return " and ".join(name for name in (energies, labels.forces and "force components") if name)


def _memory(parts: Parts) -> str:
    """What a step takes, where it was tried."""
    return f"; a step takes {parts.memory}" if parts.memory else ""


def _data(parts: Parts) -> Iterator[str]:
    content, labels, sizes = parts.content, parts.labels, parts.sizes
    data = data_of(content, labels, sizes)
    systems = data["training_set"]["systems"]
    yield "training_set:"
    yield "  systems:"
    yield f"    read_from: {_scalar(systems['read_from'])}"
    unit, known = content.length_unit
    reason = "guessed from the distances of nearest atoms" if known else "assumed"
    yield f"    length_unit: {unit}  # {reason}"
    yield "  targets:"
    for name, target in data["training_set"]["targets"].items():
        yield f"    {_scalar(name)}:"
        yield from _target(target, labels, content)
    if labels.others:
        yield f"  # other keys that could be the energy: {', '.join(labels.others)}"
    if labels.scalars:
        more = ", ..." if len(labels.scalars) > _LISTED else ""
        yield f"  # other numbers of each structure: {', '.join(labels.scalars[:_LISTED])}{more}"
        first = labels.scalars[0]
        target = f"mtt::{_word(first)}: {{key: {_scalar(first)}}}"
        yield f"  # to learn one too, add to targets: {target}"
    for key, kind in tensors_of(content):
        target = f"mtt::{_word(key)}: {{key: {_scalar(key)}, type: {{{kind}}}}}"
        yield f"  # {key} is a tensor; to learn it too, add to targets: {target}"
    if labels.inputs:
        yield "  extra_data:  # inputs of the model"
        for name, item in labels.inputs.items():
            yield f"    {name}: {{key: {_scalar(item['key'])}}}"
    if labels.states:
        yield f"  # not seen by the model: {', '.join(labels.states)}"
    yield ""
    yield f"validation_set: {sizes.validation:g}  # of the structures: they choose the best epoch"
    if sizes.test:
        yield f"test_set: {sizes.test:g}  # of the structures: used once, after the training"
    else:
        yield f"test_set: {sizes.test:g}  # none: there are fewer than 100 structures"


def _absent(key: str, target: Mapping[str, Any], content: Content) -> str:
    """Why a label is not trained on."""
    if key == "stress" and "virial" in target:
        return "the virial is the same label"
    word = {"key": "energy"}.get(key, key.rstrip("s"))
    there = [one.name for one in content.keys if word in one.name.lower()]
    return f"the key {there[0]!r} is left out" if there and key != "key" else "the files have none"


def _target(target: Mapping[str, Any], labels: Chosen, content: Content) -> Iterator[str]:
    for key, value in target.items():
        comment = ""
        if key == "unit":
            comment = f"  # {labels.unit_reason}"
        elif value is False:
            comment = f"  # {_absent(key, target, content)}"
        if isinstance(value, dict):
            inside = ", ".join(f"{k}: {_scalar(v)}" for k, v in value.items())
            yield f"      {key}: {{{inside}}}"
        else:
            yield f"      {key}: {_scalar(value)}{comment}"


def _targets(labels: Chosen) -> dict[str, Any]:
    if labels.scalar:
        return {f"mtt::{_word(labels.scalar)}": {"key": labels.scalar}}
    energy: dict[str, Any] = {"key": labels.energy or False, "unit": labels.unit}
    energy["forces"] = {"key": labels.forces} if labels.forces else False
    if labels.virial:
        return {"energy": {**energy, "stress": False, "virial": {"key": labels.virial}}}
    return {"energy": {**energy, "stress": {"key": labels.stress} if labels.stress else False}}


def _word(key: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else "_" for c in key)


def _nested(values: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield f"{' ' * indent}{key}:"
            yield from _nested(value, indent + 2)
        else:
            yield f"{' ' * indent}{key}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    """``value`` on one line of YAML."""
    if isinstance(value, str) and value in ("on", "off", "yes", "no", "y", "n"):
        return json.dumps(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()
