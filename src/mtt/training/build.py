"""Build the parts of a training from its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from mtt.data import Batching, Dataset, Loader
from mtt.data.memory import Remedy
from mtt.errors import ConfigError, Problem
from mtt.mlip import MLIPModel
from mtt.mlip.networks import PlainNetwork, preparing
from mtt.options.training import SECTION, TrainingOptions
from mtt.options.training.batches import BatchOptions
from mtt.ranks import Ranks, SerialRanks
from mtt.training.averaging.make import make_average
from mtt.training.losses.anchor import Anchor
from mtt.training.losses.from_options import make_loss
from mtt.training.losses.gradients import ConflictFreeGradient, Gradient, SummedGradient
from mtt.training.losses.loss import Loss
from mtt.training.losses.second_heads import with_second_heads
from mtt.training.numerics.precision import AUTOCAST_DTYPES, make_scaler
from mtt.training.optimizers import averages, make_optimizer, needs_closure
from mtt.training.plan import StagePlan
from mtt.training.schedules import make_schedule
from mtt.training.stage import Stage
from mtt.training.step import Step
from mtt.training.stopping.early_stopping import make_early_stopping

if TYPE_CHECKING:
    from mtt.graph import Graph
    from mtt.mlip.compiled import CompiledNetwork
    from mtt.mlip.networks import Network


def make_loader(
    options: BatchOptions,
    model: MLIPModel,
    dataset: Dataset,
    seed: int,
    *,
    shuffle: bool,
    ranks: Ranks,
) -> Loader:
    """Batches of ``dataset`` for ``model``, on its device and in its precision.

    :param shuffle: for training: in another order, and augmented, in every epoch.
    :param ranks: that share the batches out.
    """
    atoms = options.max_atoms_per_batch
    return Loader(
        dataset,
        model.dataset_info.atomic_types,
        dtype=model.dtype,
        device=model.device,
        batching=Batching(
            structures=structures_per_batch(options, ranks) if atoms is None else None,
            atoms=atoms,
            min_atoms=options.min_atoms_per_batch if shuffle else 0,
        ),
        shuffle=shuffle,
        seed=seed,
        rank=ranks.rank,
        world_size=ranks.size,
        cutoff=model.list_cutoff(),
        augmentation=options.augmentation if shuffle else "none",
        prepare=preparing(model),
    )


def structures_per_batch(options: BatchOptions, ranks: Ranks) -> int:
    """Structures of a batch, on all ranks together."""
    own = options.batch_size_per_rank
    return options.batch_size if own is None else own * ranks.size


def smaller_batches(options: BatchOptions, structures: int) -> Remedy:
    """Which option to lower where a batch of so many structures needs too much memory."""
    if structures == 1:
        hint = "this structure alone is too large: leave it out, or take a smaller model or cutoff"
        return Remedy(hint=hint)
    atoms = options.max_atoms_per_batch
    if options.batch_atoms == "auto":
        hint = f"restart with max_atoms_per_batch below {atoms} in its place"
        return Remedy(f"{SECTION}.batch_atoms", hint)
    if atoms is not None:
        return Remedy(f"{SECTION}.max_atoms_per_batch", f"lower it (now {atoms})")
    key = "batch_size" if options.batch_size_per_rank is None else "batch_size_per_rank"
    hint = f"lower it (now {getattr(options, key)}), or let batch_atoms: auto find what fits"
    return Remedy(f"{SECTION}.{key}", hint)


def make_losses(
    plans: Sequence[StagePlan],
    model: MLIPModel,
    datasets: Sequence[Dataset],
    by_strain: Mapping[str, float],
) -> list[Loss]:
    """The loss of every stage.

    :param by_strain: see :func:`mtt.training.losses.strain_scales.strain_scales`.

    :raises ConfigError: it does not fit the targets.
    """
    info, scales = model.dataset_info, model.scales
    partners = (model.finetuning or {}).get("replay", {})
    sections = []
    for plan in plans:
        replay = plan.options.finetune.replay
        weight = 1.0 if replay is None else replay.weight
        sections.append(with_second_heads(plan.options, info, partners, weight))
    return [make_loss(one, info, scales, *datasets, by_strain=by_strain) for one in sections]


def make_stage(
    plan: StagePlan,
    model: MLIPModel,
    training: Dataset,
    loss: Loss,
    seed: int,
    ranks: Ranks,
    anchored: Mapping[str, Tensor] | None = None,
) -> Stage:
    """Everything that ``plan`` asks for, fresh.

    :param anchored: weights that ``finetune.anchor`` pulls towards; None: not yet known.
    :raises ConfigError: options that are wrong, or do not go together.
    """
    options = plan.options
    loader = make_loader(options, model, training, seed, shuffle=True, ranks=ranks)
    per_step = options.gradient_accumulation
    steps_per_epoch = -(-loader.n_batches(0) // per_step)
    optimizer = make_optimizer(model, options)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    config = options.gradient_combination == "config"
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
            options.grad_clip_norm,
            _network(options, model, training),
            make_scaler(options.amp, model.device),
            ranks=ranks,
            anchor=Anchor(model, options.finetune.anchor, anchored) if anchored else None,
        ),
        schedule=make_schedule(options, plan.num_epochs * steps_per_epoch, steps_per_epoch),
        average=make_average(model, optimizer, options.ema),
        early_stopping=make_early_stopping(options.early_stopping, plan.num_epochs),
        batches_per_step=per_step,
        steps_per_epoch=steps_per_epoch,
    )


def _network(options: TrainingOptions, model: MLIPModel, dataset: Dataset) -> Network:
    """How the network is evaluated in training steps."""
    compiled = _compiled(options, model, dataset) if options.compile else None
    learns_slopes = any(target.gradients for target in model.dataset_info.targets.values())
    # what is compiled computes slopes in any case
    if compiled is not None and learns_slopes:
        return compiled
    return PlainNetwork(model, AUTOCAST_DTYPES[options.amp])


def _compiled(options: BatchOptions, model: MLIPModel, dataset: Dataset) -> CompiledNetwork:
    # the compiler takes a second to import
    from mtt.mlip.compiled import CompiledNetwork

    infos = model.dataset_info.targets.items()
    others = [name for name, one in infos if one.gradients and not one.is_energy]
    if others:
        what = f"derivatives of {', '.join(others)} cannot be compiled, only those of energies"
        raise ConfigError(what, where=f"{SECTION}.compile", hint="leave it out")

    def examples() -> Iterator[Graph]:
        # every rank compiles the same code, from what one rank alone would take
        loader = make_loader(options, model, dataset, 0, shuffle=False, ranks=SerialRanks())
        return (batch.graph for batch in loader.epoch())

    return CompiledNetwork(model, examples)


def _check_together(plan: StagePlan, *, closure: bool, averaging: bool) -> None:
    """Refuse techniques that clash with the optimizer, each with the reason."""
    options, problems = plan.options, []
    if averaging and options.ema is not None:
        what = "a schedule-free optimizer averages the weights itself"
        hint = "leave it out, or take another optimizer"
        problems.append(Problem(what, f"{plan.where}.ema", hint))
    if closure and options.gradient_combination == "config":
        what = "the line search of L-BFGS needs the gradient of one function, which config is not"
        problems.append(Problem(what, f"{plan.where}.gradient_combination", "take sum"))
    if closure and options.amp == "fp16":
        what = "the line search of L-BFGS compares losses, which float16 is too coarse for"
        problems.append(Problem(what, f"{plan.where}.amp", "leave it out"))
    if problems:
        raise ConfigError.collect(problems)
