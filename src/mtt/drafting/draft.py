"""From data files to the text of an options file that ``mtt train --dry-run`` accepts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtt.drafting.content import Content, read_content
from mtt.drafting.free_atoms import remarks_on_atoms
from mtt.drafting.inputs import extra_data, inputs_for
from mtt.drafting.labels import Chosen, choose_labels
from mtt.drafting.sizes import Sizes, epochs_within, fitting, sizes_for
from mtt.drafting.trial import Checked, Timed, check, findings_of, peak_of_step, timed
from mtt.drafting.write import SEED, Parts, data_of, text_of, training_of
from mtt.errors import ArchitectureError
from mtt.options.yaml.overrides import deep_merge
from mtt.progress import working
from mtt.registry import Found, find
from mtt.registry.suggest import Suggestion, suggested, suggestion
from mtt.scanning import Finding

_FEW = 20  # structures


@dataclass(frozen=True)
class Draft:
    """An options file that is not written yet.

    :param text: of the file.
    :param remarks: what was chosen where there was a choice, in sentences.
    :param findings: what a scan of the data finds wrong or suspicious.
    :param timed: the trial, where a time was given.
    """

    text: str
    architecture: str
    content: Content
    labels: Chosen
    sizes: Sizes
    remarks: tuple[str, ...]
    findings: tuple[Finding, ...]
    timed: Timed | None


def draft(
    data: Sequence[str],
    *,
    hours: float | None = None,
    architecture: str | None = None,
    folders: tuple[Path, ...] = (),
) -> Draft:
    """Look at data files, and write options for them; all of the options are tried.

    :param data: files, patterns, or both, of one training set.
    :param hours: that the training may take on this machine; a few steps are timed.
    :param architecture: its name; None: the one that suits most data.
    :param folders: of architectures outside of the package.
    :raises MttError: the files hold no labels, cannot be read, or would not train.
    """
    found = find(architecture, folders) if architecture else suggested(folders)
    if found.missing:
        raise ArchitectureError(
            f"{found.name} needs {', '.join(found.missing)}", hint=found.install
        )
    wish = suggestion(found)
    content = read_content(data)
    labels = choose_labels(content)
    inputs = inputs_for(content, labels, found)
    rest = tuple(key for key in labels.states if key not in inputs.values())
    labels = dataclasses.replace(labels, states=rest, inputs=extra_data(inputs))
    sizes = sizes_for(content, labels)
    model = _model(wish, sizes) | ({"inputs": list(inputs)} if inputs else {})
    training = _known(training_of(sizes), found)
    section = {"name": found.name, "model": model, "training": training}
    options = {"seed": SEED, "architecture": section, **data_of(content, labels, sizes)}
    checked = check(options, folders)
    with working("looking for suspicious labels"):
        findings = findings_of(checked)
    with working("measuring a training step"):
        sizes, memory, warned = _fitted(sizes, checked, training)
    training = _known(training_of(sizes), found)
    measured = None
    if hours is not None:
        with working("timing a few training steps"):
            measured = timed(checked, sizes.batch_size)
        epochs = epochs_within(3600.0 * hours, measured.epoch, measured.overhead)
        sizes = dataclasses.replace(sizes, epochs=epochs)
    remarks = [*labels.remarks, *_of_data(content, labels), *warned]
    chosen = (found.name, wish.cutoff, model, tuple(training))
    parts = Parts(content, labels, sizes, *chosen, findings, hours, measured, memory)
    text = text_of(parts)
    return Draft(
        text, found.name, content, labels, sizes, tuple(remarks), tuple(findings), measured
    )


def _model(wish: Suggestion, sizes: Sizes) -> dict[str, Any]:
    """Options of the model: a size for the number of labels, and the cutoff."""
    model = wish.model(sizes.n_labels)
    if not wish.cutoff:
        return model
    nested: dict[str, Any] = {}
    place = nested
    *above, last = wish.cutoff.split(".")[1:]
    for key in above:
        place = place.setdefault(key, {})
    place[last] = sizes.cutoff
    merged: dict[str, Any] = deep_merge(nested, model)
    return merged


def _known(training: dict[str, Any], found: Found) -> dict[str, Any]:
    """Those of the options that the trainer has: what is solved at once has no epochs."""
    architecture = found.load()
    known = {**architecture.trainer.platform_hypers(), **architecture.default_hypers["training"]}
    return {key: value for key, value in training.items() if key in known}


def _fitted(
    sizes: Sizes, checked: Checked, training: dict[str, Any]
) -> tuple[Sizes, str, list[str]]:
    """Batches that fit into the memory, what a step takes of it in words, and a remark."""
    if "num_epochs" not in training:
        return sizes, "", []  # solved at once
    peak, free = peak_of_step(checked, sizes.n_largest)
    known = fitting(sizes, peak, free)
    peak = peak * known.n_largest // sizes.n_largest
    words = f"about {_gib(peak)} of {_gib(free)} free memory"
    if known == sizes:
        return sizes, words, []
    n = known.batch_atoms or known.batch_size
    what = "atoms" if known.batch_atoms else "structure" + "s" * (n > 1)
    return known, words, [f"batches of {n} {what}: more take over half of the free memory"]


def _gib(n_bytes: int) -> str:
    unit, size = ("GiB", 2**30) if n_bytes >= 2**30 else ("MiB", 2**20)
    return f"{float(f'{n_bytes / size:.2g}'):g} {unit}"


def _of_data(content: Content, labels: Chosen) -> list[str]:
    known = [*remarks_on_atoms(content, labels), *_of_few(content)]
    return [*known, *_of_units(content, labels), *_of_states(labels)]


def _of_few(content: Content) -> list[str]:
    n = len(content.frames)
    if n >= _FEW:
        return []
    return [f"{n} structures are enough to try mtt, but too few for a model that can be trusted"]


def _of_units(content: Content, labels: Chosen) -> list[str]:
    unit, known = content.length_unit
    found = []
    if known and unit != "angstrom":
        found.append(f"lengths are taken to be in {unit}: bonds are as long then")
    elif not known and content.bond_ratio is not None:
        ratio = content.bond_ratio
        found.append(
            f"lengths are assumed to be in angstrom, but nearest atoms are {ratio:.2g} times as "
            "far apart as bonds are long"
        )
    if labels.energy and labels.unit != "eV":
        found.append(f"energies are taken to be in {labels.unit}, {labels.unit_reason}")
    return found


def _of_states(labels: Chosen) -> list[str]:
    if not labels.states:
        return []
    names = ", ".join(map(repr, labels.states))
    return [f"{names}: the model does not see this; see the page on inputs"]
