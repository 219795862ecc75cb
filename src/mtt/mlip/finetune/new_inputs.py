"""Inputs that a fine-tuned model takes and its source does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from mtt.errors import ConfigError
from mtt.mlip.inputs.names import WHERE
from mtt.mlip.inputs.statistics import scale_inputs
from mtt.mlip.inputs.taking import TakesInputs
from mtt.mlip.trainable.freeze import is_within
from mtt.options.training.finetune import SECTION

if TYPE_CHECKING:
    from mtt.data import Dataset
    from mtt.mlip.model import MLIPModel


def of_input(name: str, source: TakesInputs, model: TakesInputs) -> tuple[bool, str | None]:
    """Whether the tensor ``name`` of ``model`` serves inputs only, and its name in ``source``.

    The latter is None where the source takes none of these inputs.
    """
    known, serves = source.input_modules(), False
    for one, modules in model.input_modules().items():
        for i, module in enumerate(modules):
            if not is_within(name, module):
                continue
            serves = True
            if one in known and i < len(known[one]):
                return True, known[one][i] + name.removeprefix(module)
    return serves, None


def free_hypers(source: TakesInputs) -> set[str]:
    """Options of the model that may differ from those of ``source``: of inputs that are new."""
    free = source.__input_hypers__
    # a module that exists keeps its size
    kept = [name for name in free if f"architecture.model.{name}" == WHERE]
    return {f"architecture.model.{name}" for name in (kept if source.all_inputs() else free)}


def check_kept(source: TakesInputs, model: TakesInputs) -> None:
    """:raises ConfigError: the new model would not take an input that its source takes."""
    lost = [name for name in source.all_inputs() if name not in model.all_inputs()]
    if lost:
        raise ConfigError(
            f"the source takes {', '.join(lost)}, which the fine-tuned model would not",
            where=WHERE,
            hint=f"write inputs: [{', '.join([*source.all_inputs()])}]",
        )
    changed = [
        name
        for name, per_atom in source.all_inputs().items()
        if model.all_inputs()[name] != per_atom
    ]
    if changed:
        what = f"{', '.join(changed)} is of atoms in the source or in the data, not in both"
        raise ConfigError(what, where=WHERE, hint="give it the sample_kind that the source knows")


def new_inputs(source: TakesInputs, model: TakesInputs) -> list[str]:
    """Inputs of ``model`` that ``source`` does not take."""
    return [name for name in model.all_inputs() if name not in source.all_inputs()]


def scale_new(source: TakesInputs, model: TakesInputs, dataset: Dataset) -> None:
    """Give ``model`` the mean and the spread of its new inputs."""
    scale_inputs(model, dataset, new_inputs(source, model))


def check_learnt(model: MLIPModel, names: Iterable[str], method: str) -> None:
    """Whether something of each new input is trained.

    :raises ConfigError: all that serves it is frozen.
    """
    frozen = set() if model.finetuning is None else set(model.finetuning["frozen"])
    stuck = [name for name in names if _is_frozen(model, name, frozen)]
    if stuck:
        raise ConfigError(
            f"{', '.join(stuck)} would not be learnt: all weights of this input are frozen by "
            f"method {method}",
            where=f"{SECTION}.method",
            hint="use method full, or name these weights in config.head_modules: "
            + ", ".join(module for name in stuck for module in model.input_modules()[name]),
        )


def _is_frozen(model: MLIPModel, name: str, frozen: Collection[str]) -> bool:
    modules = model.input_modules().get(name, [])
    own = [
        parameter
        for parameter, _ in model.named_parameters()
        if any(is_within(parameter, module) for module in modules)
    ]
    return bool(own) and all(parameter in frozen for parameter in own)
