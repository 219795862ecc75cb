"""From options to the parts of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtt.data import Batching, Dataset, Loader
from mtt.errors import ConfigError, Problem
from mtt.mlip import MLIPModel
from mtt.training.averaging.make import make_average
from mtt.training.losses.from_options import make_loss
from mtt.training.losses.gradients import ConflictFreeGradient, Gradient, SummedGradient
from mtt.training.losses.loss import Loss
from mtt.training.numerics.precision import AUTOCAST_DTYPES, make_scaler
from mtt.training.optimizers import averages, make_optimizer, needs_closure
from mtt.training.options.defaults import SECTION
from mtt.training.plan import StagePlan
from mtt.training.schedules import make_schedule
from mtt.training.stage import Stage
from mtt.training.step import Step
from mtt.training.stopping.early_stopping import make_early_stopping

if TYPE_CHECKING:
    from mtt.graph import Graph
    from mtt.mlip.compiled import CompiledNetwork


def make_loader(
    hypers: Mapping[str, Any], model: MLIPModel, dataset: Dataset, seed: int, *, shuffle: bool
) -> Loader:
    """Batches of ``dataset`` for ``model``, on its device and in its precision.

    :param shuffle: for training: in another order, and augmented, in every epoch.
    """
    atoms = hypers["max_atoms_per_batch"]
    return Loader(
        dataset,
        model.dataset_info.atomic_types,
        dtype=model.dtype,
        device=model.device,
        batching=Batching(
            structures=hypers["batch_size"] if atoms is None else None,
            atoms=atoms,
            min_atoms=hypers["min_atoms_per_batch"] if shuffle else 0,
        ),
        shuffle=shuffle,
        seed=seed,
        cutoff=model.list_cutoff(),
        augmentation=hypers["augmentation"] if shuffle else "none",
    )


def make_losses(
    plans: Sequence[StagePlan], model: MLIPModel, datasets: Sequence[Dataset]
) -> list[Loss]:
    """The loss of every stage.

    :raises ConfigError: it does not fit the targets.
    """
    info, scales = model.dataset_info, model.scales
    return [make_loss(plan.hypers, info, scales, *datasets) for plan in plans]


def make_stage(
    plan: StagePlan, model: MLIPModel, training: Dataset, loss: Loss, seed: int
) -> Stage:
    """Everything that ``plan`` asks for, fresh.

    :raises ConfigError: options that are wrong, or do not go together.
    """
    hypers = plan.hypers
    loader = make_loader(hypers, model, training, seed, shuffle=True)
    per_step: int = hypers["gradient_accumulation"]
    steps_per_epoch = -(-loader.n_batches(0) // per_step)
    optimizer = make_optimizer(model, hypers)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    config = hypers["gradient_combination"] == "config"
    gradient: Gradient = ConflictFreeGradient(parameters) if config else SummedGradient(parameters)
    _check_together(plan, closure=needs_closure(optimizer), averaging=averages(optimizer))
    return Stage(
        plan=plan,
        model=model,
        training=loader,
        loss=loss,
        step=Step(
            model,
            optimizer,
            gradient,
            hypers["grad_clip_norm"],
            AUTOCAST_DTYPES[hypers["amp"]],
            make_scaler(hypers["amp"], model.device),
            _compiled(hypers, model, training) if hypers["compile"] else None,
        ),
        schedule=make_schedule(hypers, plan.num_epochs * steps_per_epoch, steps_per_epoch),
        average=make_average(model, optimizer, hypers["ema"]),
        early_stopping=make_early_stopping(hypers["early_stopping"], plan.num_epochs),
        batches_per_step=per_step,
        steps_per_epoch=steps_per_epoch,
    )


def _compiled(hypers: Mapping[str, Any], model: MLIPModel, dataset: Dataset) -> CompiledNetwork:
    # the compiler takes a second to import
    from mtt.mlip.compiled import CompiledNetwork

    def examples() -> Iterator[Graph]:
        loader = make_loader(hypers, model, dataset, 0, shuffle=False)
        return (batch.graph for batch in loader.epoch())

    return CompiledNetwork(model, examples)


def _check_together(plan: StagePlan, *, closure: bool, averaging: bool) -> None:
    """Refuse techniques that clash, each with the reason."""
    hypers, problems = plan.hypers, []
    where = f"{SECTION}.stages[{plan.number}]" if hypers["stages"] else SECTION
    if averaging and hypers["ema"] is not False:
        what = "a schedule-free optimizer averages the weights itself"
        problems.append(Problem(what, f"{where}.ema", "leave it out, or take another optimizer"))
    if closure and hypers["gradient_combination"] == "config":
        what = "the line search of L-BFGS needs the gradient of one function, which config is not"
        problems.append(Problem(what, f"{where}.gradient_combination", "take sum"))
    if closure and hypers["amp"] == "fp16":
        what = "the line search of L-BFGS compares losses, which float16 is too coarse for"
        problems.append(Problem(what, f"{where}.amp", "leave it out"))
    if hypers["compile"] and hypers["amp"]:
        what = "mixed precision cannot be compiled yet"
        problems.append(Problem(what, f"{where}.compile", "leave one of the two out"))
    if hypers["compile"] and hypers["gradient_combination"] == "config":
        what = "what is compiled can be differentiated once, and config needs it once per term"
        problems.append(Problem(what, f"{where}.compile", "leave one of the two out"))
    if problems:
        raise ConfigError.collect(problems)
