"""``architecture.training.finetune``: which checkpoint to start from, and what of it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mtt.options.schema.validate import validate
from mtt.options.training.finetuning.replay import ReplayOptions, replay_faults
from mtt.options.training.option import Form, option
from mtt.options.training.schema import section_schema
from mtt.options.training.sections import read_section, write_section
from mtt.options.yaml.places import Fault, KeyPath

SECTION = "architecture.training.finetune"
"""Where the options are in ``options.yaml``; for messages."""


@dataclass(frozen=True)
class FullConfig:
    """Options of the methods ``full`` and ``replay``: none."""


@dataclass(frozen=True)
class HeadsConfig:
    """Options of the method ``heads``: patterns of parameters; none: the architecture's."""

    head_modules: tuple[str, ...] = option(())
    last_layer_modules: tuple[str, ...] = option(())


@dataclass(frozen=True)
class LoraConfig:
    """Options of the method ``lora``: ``weight + alpha / rank * up @ down``.

    :param target_modules: patterns of linear layers; None for all of them.
    """

    rank: int = option(4, minimum=1)
    alpha: float = option(8, exclusiveMinimum=0)
    target_modules: tuple[str, ...] | None = option(None)


@dataclass(frozen=True)
class FreezeConfig:
    """Options of the method ``freeze``: patterns of the parameters that are not trained."""

    freeze: tuple[str, ...] = option(())


MethodConfig = FullConfig | HeadsConfig | LoraConfig | FreezeConfig
CONFIGS: Mapping[str, type[MethodConfig]] = {
    "full": FullConfig,
    "heads": HeadsConfig,
    "lora": LoraConfig,
    "freeze": FreezeConfig,
    "replay": FullConfig,
}
"""Method to the options that it has in ``config``."""

RATE_FACTORS: Mapping[str, float] = {"heads": 10.0, "lora": 3.0}
"""Method to the factor of the architecture's learning rate where the options name none.

Few weights, which begin at zero or feed the output directly, need larger steps. The measurement is
in the manual (finetuning.md, "Learning rate, averaging and stages").
"""

_CONFIG = Form(lambda: {"type": "object"}, lambda value: value, write_section)


@dataclass(frozen=True)
class FinetuneOptions:
    """How a training starts from the weights of another run; not at all without ``read_from``."""

    read_from: str | None = option(
        None,
        "Checkpoint (.ckpt) or light archive (.zip) to start from; null starts from random "
        "weights.",
    )
    method: Literal["full", "heads", "lora", "freeze", "replay"] = option(
        "full",
        "Which weights are trained. full: all; heads: those of the targets' heads; lora: low-rank "
        "corrections of the linear layers; freeze: all except those that config.freeze names; "
        "replay: all, while a second head keeps the source's reference on structures of "
        "replay.data.",
    )
    config: MethodConfig = option(
        FullConfig,
        "Options of the method. lora: rank (4), alpha (8), target_modules (all linear layers). "
        "freeze: freeze. heads: head_modules, last_layer_modules (those that the architecture "
        "names). Names are those of parameters or modules, or parts of them; * matches any text.",
        form=_CONFIG,
    )
    inherit_heads: Mapping[str, str] = option(
        dict,
        "For each new target, the target of the source whose head, baseline and scale it starts "
        "from: {energy/ccsd: energy}.",
    )
    baseline: Literal["auto", "keep", "refit"] = option(
        "auto",
        "What happens to the composition baseline if the labels have another reference than the "
        "source. auto: it is refitted to the residual of the network if an offset per element "
        "explains most of it; keep: it is kept, with a warning; refit: it is always refitted. "
        "Numbers in atomic_baseline are never changed.",
    )
    replay: ReplayOptions | None = option(
        None,
        "Structures that method replay learns beside the new ones; with other methods they "
        "measure what is forgotten. null: none.",
    )
    anchor: float = option(
        0.0,
        "Adds anchor * |w - w0|^2 to the loss, w0 being the source's weights (L2-SP): trained "
        "weights stay near them. Typical: 1e-4 to 1e-1; 0: not at all.",
        minimum=0,
    )
    depth_decay: float = option(
        1.0,
        "Factor of the learning rate from one layer to the one below it, counted from the heads, "
        "which have the factor 1. 1: the same for all; 0.5 to 0.9 keeps lower layers nearer to "
        "the source.",
        exclusiveMinimum=0,
        maximum=1,
    )

    @classmethod
    def of(cls, section: Mapping[str, Any] | None) -> FinetuneOptions:
        """Make the options from checked values; missing ones have their defaults.

        Runs from before the option ``baseline`` kept what the source has, and are restarted as
        they are.
        """
        given = dict(section or {})
        method = CONFIGS[given.get("method", "full")]
        config = read_section(method, given.get("config") or {})
        return read_section(cls, {**given, "config": config})

    def plain(self) -> dict[str, Any]:
        """The way back; of ``config`` what is not the default."""
        return {**write_section(self, whole=True), "config": write_section(self.config)}

    @property
    def is_asked_for(self) -> bool:
        """Whether anything but the defaults is given, ``read_from`` left aside."""
        return self.plain() != {**FinetuneOptions().plain(), "read_from": self.read_from}


def rate_factor(training: Mapping[str, Any], written: Mapping[str, Any]) -> float:
    """What the default learning rate is multiplied by, as the method of a fine-tuning asks.

    1 where the options give ``learning_rate``, or ``optimizer``, which has its own rates.

    :param training: all training options, valid by the schema.
    :param written: those of them that the options file gives.
    """
    finetune, stages = training.get("finetune") or {}, training.get("stages") or []
    own = {"learning_rate", "optimizer"}
    if not finetune.get("read_from") or any(own & set(one) for one in (written, *stages)):
        return 1.0
    return RATE_FACTORS.get(finetune.get("method", "full"), 1.0)


def finetune_faults(section: Mapping[str, Any], path: KeyPath) -> list[Fault]:
    """Find mistakes that the schema cannot express: ``config`` must fit the method.

    :param section: valid by the schema.
    """
    config, method = section.get("config") or {}, section.get("method", "full")
    schema = section_schema(CONFIGS[method])
    faults = validate(config, schema, (*path, "config"))
    faults += replay_faults(section.get("replay"), method, path)
    rest = FinetuneOptions.of({**section, "config": {}})
    if (config or rest.is_asked_for) and not rest.read_from:
        hint = "give the checkpoint to start from"
        faults.append(Fault((*path, "read_from"), "there is nothing to fine-tune", hint))
    elif isinstance(rest.config, FreezeConfig) and not config.get("freeze"):
        hint = "names of parameters or modules, with * for any text"
        faults.append(Fault((*path, "config", "freeze"), "nothing is named", hint))
    return faults


FORM = Form(lambda: section_schema(FinetuneOptions), FinetuneOptions.of, FinetuneOptions.plain)
"""The section among the training options."""
