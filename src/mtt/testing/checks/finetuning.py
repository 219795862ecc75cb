"""What an architecture must do, and may say, so that its models can be fine-tuned."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import ase
import torch

from mtt.graph import Target
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.fine_tune import carried_over
from mtt.mlip.trainable.freeze import is_within
from mtt.mlip.trainable.lora import add_adapters, linear_layers, merge_adapters
from mtt.testing import systems
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import Measured, agreement
from mtt.testing.subject import SEED, Subject

ROUNDING = 1e-9
EXACT = 1e-12
Predictions = list[dict[str, Target]]


def check_carried_over(subject: Subject) -> Iterator[Measured]:
    """A new model with the weights of another one predicts what that one does."""
    source = _model(subject)
    own = {name: name for name in source.target_names}
    with _seed():
        model, _ = carried_over(source, source.hypers, source.dataset_info, own)
    yield from _compared(subject, model.eval(), "after carrying the weights over", EXACT)


def check_heads(subject: Subject) -> None:
    """``head_modules()`` names weights of one target each, which change no other target."""
    source = _model(subject)
    heads = source.head_modules()
    if not heads:
        raise DoesNotApply("the model does not distinguish heads")
    where = f"{type(source).__name__}.head_modules"
    if list(heads) != source.target_names or len({len(found) for found in heads.values()}) > 1:
        raise CheckFailed("not every target has the same kinds of modules", where=where)
    names = [name for name, _ in source.named_parameters()]
    before = subject.predict(_structures(subject))
    owners: dict[str, str] = {}
    for target, modules in heads.items():
        for module in modules:
            own = [name for name in names if is_within(name, module)]
            if not own:
                raise CheckFailed(f"there are no parameters in {module!r}", where=where)
            for name in own:
                if owners.setdefault(name, target) != target:
                    raise CheckFailed(f"{name} serves {owners[name]} and {target}", where=where)
    for target in heads:
        moved = copy.deepcopy(source)
        _move(moved, [name for name in names if owners.get(name) == target])
        _only_changes(target, before, subject.predict(_structures(subject), moved), where)


def check_elements(subject: Subject) -> Iterator[Measured]:
    """With more elements the predictions for the known ones stay, also after loading."""
    source = _model(subject)
    if type(source).extend_elements is MLIPModel.extend_elements:
        raise DoesNotApply("the model does not learn more elements than it was made for")
    known = subject.elements
    new = [z for z in range(1, max(known) + 2) if z not in known]
    info = replace(source.dataset_info, atomic_types=tuple(sorted([*known, new[0], new[-1]])))
    own = {name: name for name in source.target_names}
    with _seed():
        model, _ = carried_over(source, source.hypers, info, own)
        loaded = type(model).load_checkpoint(model.get_checkpoint(), "restart")
    yield from _compared(subject, model.eval(), "with more elements", ROUNDING)
    yield from _compared(subject, loaded.eval(), "with more elements, loaded", ROUNDING)
    for one in subject.predict(systems.ordinary(new[:1]), model):
        if not all(bool(torch.isfinite(target.values).all()) for target in one.values()):
            raise CheckFailed("predictions for a new element are not finite")


def check_adapters(subject: Subject) -> Iterator[Measured]:
    """Low-rank corrections change nothing at first, and are the same in plain weights."""
    source = _model(subject)
    layers = linear_layers(source)
    if not layers:
        raise DoesNotApply("the model has no linear layers")
    model = copy.deepcopy(source)
    with _seed():
        added = {id(parameter) for parameter in add_adapters(model, layers, 2, 2.0)}
    yield from _compared(subject, model, "with corrections that are zero", EXACT)
    _move(model, [name for name, p in model.named_parameters() if id(p) in added])
    corrected = subject.predict(_structures(subject), model)
    merge_adapters(model)
    if set(model.state_dict()) != set(source.state_dict()):
        raise CheckFailed("merged, the weights have other names")
    merged = subject.predict(_structures(subject), model)
    yield from agreement(subject.info, merged, corrected, EXACT, "with corrections, merged")


def _model(subject: Subject) -> MLIPModel:
    model = subject.graph_model()
    if model is None:
        raise DoesNotApply("the model is not built on MLIPModel, and is fine-tuned as it is")
    return model


@contextmanager
def _seed() -> Iterator[None]:
    """The generator has another state than when the subject's models were built."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED + 985)
        yield


def _structures(subject: Subject) -> list[ase.Atoms]:
    return systems.ordinary(subject.elements)


@torch.no_grad()
def _move(model: MLIPModel, names: Sequence[str]) -> None:
    generator = torch.Generator().manual_seed(SEED)
    for name in names:
        parameter = model.get_parameter(name)
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.add_(0.1 * noise)


def _only_changes(target: str, before: Predictions, after: Predictions, where: str) -> None:
    pairs = list(zip(before, after, strict=True))
    changed = {
        name
        for one, two in pairs
        for name in one
        if not torch.equal(one[name].values, two[name].values)
    }
    if changed != {target}:
        found = ", ".join(sorted(changed)) or "nothing"
        raise CheckFailed(f"the head of {target} changes {found}", where=where)


def _compared(
    subject: Subject, model: MLIPModel, what: str, tolerance: float
) -> Iterator[Measured]:
    structures = _structures(subject)
    found, wanted = subject.predict(structures, model), subject.predict(structures)
    yield from agreement(subject.info, found, wanted, tolerance, what)
