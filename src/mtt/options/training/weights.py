"""The optimizer, its learning rate and gradients, the average of the weights, precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mtt.options.training.named import NamedChoice, choice_of
from mtt.options.training.option import Form, option
from mtt.options.training.prefit import PrefitOptions
from mtt.options.training.schema import section_schema
from mtt.options.training.sections import read_section, write_section


@dataclass(frozen=True)
class EmaOptions:
    """The exponential moving average of the weights."""

    decay: float = option(
        0.999,
        "Decay per optimizer step; (1 + n) / (10 + n) in step n while this is smaller.",
        minimum=0,
        exclusiveMaximum=1,
    )


Average = EmaOptions | NamedChoice
"""The exponential moving average, or another one by name."""


def _read_average(value: bool | Mapping[str, Any]) -> Average | None:
    if isinstance(value, bool):
        return EmaOptions() if value else None
    return NamedChoice.of(value) if "name" in value else read_section(EmaOptions, value)


def _write_average(value: Average | None) -> bool | dict[str, Any]:
    if isinstance(value, NamedChoice):
        return {"name": value.name, **value.options}
    return value is not None and (write_section(value) or True)


def _average_schema() -> dict[str, Any]:
    name = {"type": "string", "description": "An average; other keys are its own options."}
    other = {"type": "object", "required": ["name"], "properties": {"name": name}}
    return {"anyOf": [{"type": "boolean"}, section_schema(EmaOptions), other]}


_AVERAGE = Form(_average_schema, _read_average, _write_average)


@dataclass(frozen=True)
class WeightOptions:
    """Options of the optimizer, its schedule and averages of the weights."""

    prefit: PrefitOptions | None = option(
        None,
        "Fit some parameters with L-BFGS to the whole training set before the first epoch; null "
        "fits none.",
        acts="before the first step",
    )
    optimizer: NamedChoice | None = option(
        None,
        "A name ($optimizers; with the extra 'optimizers' also $extra_optimizers), or a mapping "
        "of name and the optimizer's own options. null takes adam, or adamw if weight_decay is "
        "set. mlip, lbfgs, prodigy and the schedule-free ones set other options that have the "
        "platform's default.",
        acts="from here",
        in_stages=True,
        form=choice_of("optimizer"),
    )
    learning_rate: float = option(
        0.001,
        "Largest learning rate, reached at the end of the warm-up. Typical: 1e-4 to 1e-2; lower "
        "it when the loss jumps. In a fine-tuning without optimizer in the options, the default is "
        "three times (method: lora) or ten times (method: heads) that of the architecture.",
        acts="from here",
        in_stages=True,
        exclusiveMinimum=0,
    )
    learning_rate_factors: Mapping[str, float] = option(
        dict,
        "Factors of learning_rate for parts of the model, by names of parameters; * matches any "
        "text, and the first match counts. For fine-tuning: {'heads.*': 1.0, '*': 0.1}.",
        acts="from here",
        in_stages=True,
        exclusiveMinimum=0,
    )
    weight_decay: float | None = option(
        None,
        "Shrinks the weights (adamw), or adds weight_decay times the weights to the gradient "
        "(adam). It does not act on biases, normalisations and priors. null: no decay; try 1e-4 "
        "to 1e-2 if a model overfits.",
        acts="from here",
        in_stages=True,
        minimum=0,
    )
    scheduler: NamedChoice | None = option(
        None,
        "How the learning rate changes from optimizer step to optimizer step: $schedules, or a "
        "mapping of name and options. null takes cosine. All begin with the warm-up of "
        "warmup_fraction.",
        acts="from here",
        in_stages=True,
        form=choice_of("schedule"),
    )
    warmup_fraction: float = option(
        0.01,
        "Fraction of all optimizer steps in which the learning rate rises linearly; afterwards it "
        "follows the scheduler. Ignored by one_cycle, which includes a rise.",
        acts="from here",
        in_stages=True,
        minimum=0,
        maximum=1,
    )
    grad_clip_norm: float | None = option(
        1.0,
        "Gradients with a larger global norm are scaled down to this norm. null: no clipping.",
        acts="from here",
        in_stages=True,
        exclusiveMinimum=0,
    )
    gradient_combination: Literal["sum", "config"] = option(
        "sum",
        "sum adds up the gradients of all loss terms. config (conflict-free) takes the direction "
        "in which every term decreases at the rate of its weight, at one backward pass per term.",
        acts="from here",
        in_stages=True,
    )
    ema: Average | None = option(
        None,
        "Average of the weights, which is validated, kept as best, and exported. true is the "
        "exponential moving average (ema) with a decay of 0.999. A mapping may have the name of "
        "another average, and its options. schedule_free is set by the schedule-free optimizers.",
        acts="from here",
        in_stages=True,
        form=_AVERAGE,
    )
    amp: Literal[None, "bf16", "fp16"] = option(
        None,
        "Automatic mixed precision: the network's matrix products in 16 bits; energy sums, "
        "baselines and weights keep their precision. fp16 scales the loss. null: off.",
        acts="from here",
        in_stages=True,
    )
    tf32: bool = option(
        False,
        "Let CUDA round the factors of float32 products to TF32 during the training: faster, "
        "less exact.",
        acts="any time",
    )
    compile: bool = option(
        False,
        "Let torch.compile fuse the network and its forces for the training: this takes minutes at "
        "the start, and steps on CPUs then take about two thirds of the time. Needs a C++ "
        "compiler there.",
        acts="any time",
    )
