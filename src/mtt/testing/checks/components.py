"""Vectors and tensors: how they turn, and what they are in the exported file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import ase
import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import ModelOutput, load_atomistic_model

from mtt.data import kinds
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.data.target_kind import TargetKind
from mtt.errors import ArchitectureError, DataError
from mtt.exporting import load_exported, probe
from mtt.exporting.structures import structure
from mtt.graph import Target
from mtt.testing import systems
from mtt.testing.checks.symmetry import (
    check_inversion,
    check_permutation,
    check_rotation,
    check_translation,
)
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import TINY, Measured, agreement, compared
from mtt.testing.pairs import other_ends, pairs_of
from mtt.testing.subject import Subject

EXPORTED = 1e-10
_PER_ATOM, _PER_PAIR = " per atom", " per pair"


def check_turning(subject: Subject) -> Iterator[Measured]:
    """Vectors and tensors turn with the structure as their kinds say, pseudotensors too."""
    own = _with_tensors(subject)
    largest = dict.fromkeys(own.info.targets, 0.0)
    for found in own.predict(systems.ordinary(own.elements)):
        for name, target in found.items():
            largest[name] = max(largest[name], float(target.values.abs().max()))
    zero = [name for name, size in largest.items() if size <= TINY]
    if zero:
        raise CheckFailed(f"{_said(own, zero[0])} is zero for every structure")
    yield from chain(check_rotation(own), check_inversion(own))


def check_following(subject: Subject) -> Iterator[Measured]:
    """Vectors and tensors follow their atoms: neither order, place nor batch changes them."""
    own = _with_tensors(subject)
    yield from chain(check_permutation(own), check_translation(own))
    structures = systems.ordinary(own.elements)
    together = own.predict(structures, batch_size=len(structures))
    alone = own.predict(structures)
    yield from agreement(own.info, together, alone, EXPORTED, "in a batch")
    yield from _exchanged(own, structures, alone)


def _exchanged(
    own: Subject, structures: Sequence[ase.Atoms], found: Sequence[dict[str, Target]]
) -> Iterator[Measured]:
    """Values of the pairs (j, i) are those of (i, j) in their places, where ``exchange`` says."""
    for one, predicted in zip(structures, found, strict=True):
        for name, info in own.info.targets.items():
            if info.exchange:
                places, signs = torch.tensor(info.of_kind.exchange).T
                values = predicted[name].values
                values = values.reshape(len(values), info.of_kind.size, -1)
                other = values[other_ends(pairs_of(own, one))][:, places] * signs[:, None]
                yield compared(f"{name}, atoms exchanged", values, other, EXPORTED)


def check_components(subject: Subject) -> Iterator[Measured]:
    """The exported file has metatensor's keys, components and samples, and the same numbers."""
    own = _with_tensors(subject)
    structures = systems.ordinary(own.elements)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        path.write_bytes(own.exported())
        found = own.predict(structures, load_exported(path))
        yield from agreement(own.info, found, own.predict(structures), EXPORTED, "exported")
        maps = _outputs(own, path)
    for name, tensor in maps.items():
        _check_map(own, name, tensor)


def _with_tensors(subject: Subject) -> Subject:
    """The architecture with one target of every kind with components that it declares.

    Targets that it refuses with a message, such as degrees beyond its own, are left out.

    :raises DoesNotApply: it declares no such kind.
    :raises CheckFailed: it declares one, and refuses all targets of it.
    """
    owner = subject.architecture.model
    accepted: dict[str, TargetInfo] = {}
    declared = [name for name in getattr(owner, "__supported_targets__", ()) if _kinds_of(name)]
    if not declared:
        raise DoesNotApply("the model declares no kind of target that turns with the structure")
    for supported in declared:
        refused: ArchitectureError | None = None
        before = len(accepted)
        sample_kind = sample_kind_of(supported)
        for i, kind in enumerate(_kinds_of(supported)):
            info = TargetInfo(kind=kind.text, sample_kind=sample_kind, properties=2)
            if info.per_pair and i % 2 == 0:
                info = replace(info, exchange="symmetric")
            name = f"mtt::{sample_kind}_{kind.name}_{i}"
            try:
                _variant(subject, {name: info}).build()
            except ArchitectureError as error:
                refused = error
            else:
                accepted[name] = info
        if len(accepted) == before:
            raise CheckFailed(f"{supported!r} is declared, and refused: {refused}")
    return _variant(subject, accepted)


def _variant(subject: Subject, targets: dict[str, TargetInfo]) -> Subject:
    info = DatasetInfo(subject.info.length_unit, tuple(subject.elements), targets)
    # options of single targets are those of others
    free = getattr(subject.architecture.model, "__target_hypers__", ())
    hypers = {name: {} if name in free else value for name, value in subject.model_hypers.items()}
    return Subject(subject.architecture, model_hypers=hypers, dataset_info=info)


def _kinds_of(supported: str) -> tuple[TargetKind, ...]:
    """The examples of a kind that ``__supported_targets__`` names; none of one without components.

    Sums over atoms are not asked for where the kind has none.
    """
    sample_kind = sample_kind_of(supported)
    name = supported.removesuffix(_PER_ATOM).removesuffix(_PER_PAIR)
    of_pairs = sample_kind == "atom_pair"
    if name == "energy" or (name == "scalar" and not of_pairs):
        return ()
    try:
        found = kinds.load(name)
    except DataError:  # of a package that is not installed here
        return ()
    if sample_kind == "system" and not found.additive:
        return ()
    if of_pairs:
        return tuple(one.for_pairs() for one in found.examples())
    return tuple(one for one in found.examples() if one.components)


def sample_kind_of(supported: str) -> str:
    """The ``sample_kind`` of a name in ``__supported_targets__``."""
    if supported.endswith(_PER_PAIR):
        return "atom_pair"
    return "atom" if supported.endswith(_PER_ATOM) else "system"


def _outputs(subject: Subject, path: Path) -> dict[str, TensorMap]:
    """Every output for one structure, through metatomic and its checks."""
    exported = load_atomistic_model(str(path))
    capabilities, lists = exported.capabilities(), exported.requested_neighbor_lists()
    content = structure(systems.cluster(subject.elements), lists)
    dtype = getattr(torch, capabilities.dtype)
    unit = torch.eye(3, dtype=dtype)
    system = probe.system(content, content["positions"].to(dtype), unit, lists)
    outputs = {
        name: ModelOutput(sample_kind=target.sample_kind)
        for name, target in subject.info.targets.items()
    }
    return probe.asked(exported, [system], outputs, capabilities.length_unit)


def _check_map(subject: Subject, name: str, tensor: TensorMap) -> None:
    """:raises CheckFailed: keys, components or properties are other ones than of the kind."""
    target = subject.info.targets[name]
    kind = target.of_kind
    keys = Labels(list(kind.key_names), torch.tensor([list(block.key) for block in kind.blocks]))
    if tensor.keys != keys:
        raise CheckFailed(f"{_said(subject, name)} has the keys {tensor.keys}, not {keys}")
    for block, wanted in zip(tensor.blocks(), kind.blocks, strict=True):
        axes = [(axis.names, axis.values[:, 0].tolist()) for axis in block.components]
        expected = [([axis.name], list(axis.labels)) for axis in wanted.axes]
        if axes != expected:
            raise CheckFailed(f"{_said(subject, name)} has the components {axes}, not {expected}")
        count = len(wanted.properties("", target.properties).labels)
        if len(block.properties) != count:
            n = len(block.properties)
            what = f"{n} properties, not {count}"
            raise CheckFailed(f"{_said(subject, name)} has {what}")


def _said(subject: Subject, name: str) -> str:
    return f"{name} ({subject.info.targets[name].kind})"
