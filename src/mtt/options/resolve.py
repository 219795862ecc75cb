"""Options with their architecture: defaults laid below, everything validated."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any, Protocol

from mtt.errors import ConfigError, did_you_mean
from mtt.options.loss_forms import LossExpander
from mtt.options.metatrain.deprecated import Modernizer
from mtt.options.metatrain.known_names import training_notice
from mtt.options.metatrain.retired import (
    retired,
    retired_faults,
    retired_notices,
    without_retired,
)
from mtt.options.names import ATOMIC_NUMBERS
from mtt.options.raw import RawOptions
from mtt.options.schema.validate import MODEL, TRAINING, validate
from mtt.options.schema.vocabulary import check_schema
from mtt.options.training import TrainingOptions, find_faults
from mtt.options.training.finetune import rate_factor
from mtt.options.values import DERIVATIVES, GRADIENTS, LOGGERS, Options, Part, TargetOptions
from mtt.options.yaml.interpolate import Interpolator
from mtt.options.yaml.overrides import deep_merge
from mtt.options.yaml.places import Fault, KeyPath

_SECTION: KeyPath = ("architecture",)
_TRAINING: KeyPath = ("architecture", "training")
_MODEL: KeyPath = ("architecture", "model")
_LOSS: KeyPath = ("architecture", "training", "loss")


class ArchitectureLike(Protocol):
    """What the options need of a loaded architecture."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def model(self) -> Any: ...
    @property
    def trainer(self) -> Any: ...
    @property
    def default_hypers(self) -> dict[str, Any]: ...
    @property
    def schema(self) -> dict[str, Any] | None: ...


def resolve(raw: RawOptions, architecture: ArchitectureLike) -> Options:
    """Merge ``raw`` over the defaults and validate the result.

    Precedence: defaults of the platform (``MLIPModel``, ``MLIPTrainer``), the folder's
    ``default-hypers.yaml``, the file, overrides.

    :raises ConfigError: everything that is wrong with the options, each with its line.
    :raises ArchitectureError: the architecture's schema is wrong itself.
    """
    section = _Section(raw, architecture)
    hypers = section.resolve()
    faults = [*raw.faults, *section.faults]
    if faults:
        raise ConfigError.collect(raw.places.problems(faults))
    base, sets = raw.base, raw.sets
    training, validation, test = (sets[name] for name in sets)
    assert isinstance(training, list)  # a set without faults is there
    assert validation is not None
    assert test is not None
    notices = [*raw.notices, *section.notices]
    seed = base.get("seed")
    print_stats, final_eval = base.get("print_stats"), base.get("final_eval")
    return Options(
        device=base.get("device"),
        base_precision=base.get("base_precision"),
        seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
        print_stats="auto" if print_stats is None else print_stats,
        final_eval=True if final_eval is None else final_eval,
        architecture=hypers,
        training_set=training,
        validation_set=validation,
        test_set=test,
        loggers=LOGGERS if base.get("loggers") is None else tuple(base["loggers"]),
        tensorboard=_settings(base.get("tensorboard")),
        wandb=_settings(base.get("wandb")),
        mlflow=_settings(base.get("mlflow")),
        aim=_settings(base.get("aim")),
        remote=base.get("remote"),
        report=base.get("report") is not False,
        source=raw.source,
        notices=tuple(str(problem) for problem in raw.places.problems(notices)),
    )


def _settings(value: bool | dict[str, Any] | None) -> dict[str, Any] | None:
    """None where it is off: false, null, or an empty mapping."""
    return {} if value is True else value or None


class _Section:
    """The ``architecture`` section of one file, on its way to the final one."""

    def __init__(self, raw: RawOptions, architecture: ArchitectureLike) -> None:
        self.raw = raw
        self.architecture = architecture
        self.platform = copy.deepcopy(architecture.trainer.platform_hypers())
        self.shared = copy.deepcopy(architecture.model.platform_hypers())
        self.targets = _training_targets(raw.sets["training_set"])
        self.faults: list[Fault] = []
        self.notices: list[Fault] = []

    def resolve(self) -> dict[str, Any]:
        folder = copy.deepcopy(self.architecture.default_hypers)
        written = self.raw.written.get("architecture")
        written = written if isinstance(written, dict) else {}
        training = deep_merge(self.platform, folder.get("training") or {})
        modernize = Modernizer(training, self.targets)
        own = modernize(self._mapping(written, "training"), _TRAINING)
        merged = {
            "model": deep_merge(
                deep_merge(self.shared, folder.get("model") or {}), self._mapping(written, "model")
            ),
            "training": deep_merge(training, own),
        }
        self.faults += modernize.faults
        self.notices += modernize.notices
        hypers = {
            "name": self.architecture.name,
            "atomic_types": self._atomic_types(),
            **self._interpolated(merged, written),
        }
        hypers["training"] = self._without_retired(hypers["training"])
        self._validate(hypers, set(training))
        self._expand_loss(hypers["training"])
        self._start_pretrained(hypers)
        self._follow_method(hypers["training"], own)
        self._check_together(hypers["training"])
        # what is not set is not stored: models and checkpoints know only what they use
        hypers["model"] = {
            key: value
            for key, value in hypers["model"].items()
            if key not in self.shared or value != self.shared[key]
        }
        return hypers

    def _mapping(self, written: dict[str, Any], key: str) -> dict[str, Any]:
        value = written.get(key)
        return value if isinstance(value, dict) else {}  # else a fault already

    def _interpolated(self, merged: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
        dtypes = getattr(self.architecture.model, "__supported_dtypes__", ())
        bits = [64 if "64" in str(dtype) else 16 if "16" in str(dtype) else 32 for dtype in dtypes]
        root = {**self.raw.written, "architecture": {**written, **merged}}
        interpolate = Interpolator(root, {"base_precision": bits[0]} if bits else {})
        hypers: dict[str, Any] = interpolate(merged, _SECTION)
        self.faults += interpolate.faults
        return hypers

    def _atomic_types(self) -> list[int] | None:
        """Atomic numbers, ascending; symbols are accepted too."""
        section = self.raw.base.get("architecture")
        written = section.get("atomic_types") if isinstance(section, dict) else None
        if not isinstance(written, list):
            return None
        numbers: list[int] = []
        for index, item in enumerate(written):
            number = ATOMIC_NUMBERS.get(item) if isinstance(item, str) else item
            path = (*_SECTION, "atomic_types", index)
            if number is None:
                self.faults.append(Fault(path, f"{item!r} is not an element"))
            elif number in numbers:
                self.faults.append(Fault(path, f"the element {item!r} is given twice"))
            elif isinstance(number, int):
                numbers.append(number)
        return sorted(numbers)

    def _validate(self, hypers: dict[str, Any], known: set[str]) -> None:
        shared = {key: hypers["model"][key] for key in self.shared}
        hypers = {**hypers, "model": {k: v for k, v in hypers["model"].items() if k not in shared}}
        schema = self.architecture.schema
        if schema is not None:
            source = str(self.architecture.folder / "schema-hypers.json")
            check_schema(schema, source)
            values = {k: v for k, v in hypers.items() if k != "atomic_types" or v is not None}
            found = validate(values, schema, _SECTION, source)
        elif self.platform:
            # hypers of a folder without schema pass as they are, the platform's do not
            own = known - set(self.platform)
            values = {k: v for k, v in hypers["training"].items() if k not in own}
            found = validate(values, {"$ref": TRAINING}, _TRAINING)
        else:
            found = []
        found += validate(shared, {"$ref": MODEL}, _MODEL)
        wrong = {fault.path for fault in self.faults}
        self.faults += [self._explained(fault) for fault in found if fault.path not in wrong]

    def _explained(self, fault: Fault) -> Fault:
        """With what the folder's schema cannot know of an unknown key."""
        if fault.what != "unknown key" or len(fault.path) != 3:
            return fault
        key = str(fault.path[2])
        if fault.path[:2] == _MODEL:
            hint = did_you_mean(key, self.shared)
            return fault._replace(hint=hint) if hint else fault
        # what metatrain has is "not available", not "unknown"
        note = training_notice(key, self.platform) if fault.path[:2] == _TRAINING else ""
        return Fault(fault.path, note) if note else fault

    def _without_retired(self, training: dict[str, Any]) -> dict[str, Any]:
        """``training`` without options of existing files that have no effect here."""
        folder = self.architecture.default_hypers.get("training") or {}
        names = retired(self.platform, folder, self.architecture.schema)
        self.faults += retired_faults(training, names, _TRAINING)
        self.notices += retired_notices(training, names, _TRAINING)
        return without_retired(training, names)

    def _start_pretrained(self, hypers: dict[str, Any]) -> None:
        """A model with published weights is fine-tuned, unless another source is given."""
        if self.faults or "finetune" not in self.platform:
            return
        finetune = hypers["training"].get("finetune") or {}
        name = self.architecture.model.pretrained(hypers["model"])
        if name is not None and not finetune.get("read_from"):
            hypers["training"]["finetune"] = {**finetune, "read_from": name}

    def _follow_method(self, training: dict[str, Any], written: dict[str, Any]) -> None:
        """The default learning rate is that of the method of a fine-tuning."""
        if not self.faults and {"finetune", "learning_rate"} <= set(self.platform):
            training["learning_rate"] *= rate_factor(training, written)

    def _check_together(self, training: dict[str, Any]) -> None:
        """Whether the options of the platform's trainer, each right by itself, go together."""
        if not self.faults and set(TrainingOptions.keys()) <= set(self.platform):
            self.faults += find_faults(training, _TRAINING)

    def _expand_loss(self, training: dict[str, Any]) -> None:
        """Put the loss, and those of stages, in the internal form, where there is one."""
        loss = training.get("loss")
        ours = "loss" in self.platform
        if loss is None and not ours:
            return
        if not self.targets or any(fault.path[:3] == _LOSS for fault in self.faults):
            return
        expander = LossExpander(self.targets, ours)
        training["loss"] = expander.expand({} if loss is None else loss, _LOSS)
        stages = training.get("stages") if ours else None
        for i, stage in enumerate(stages if isinstance(stages, list) else []):
            path = (*_TRAINING, "stages", i, "loss")
            wrong = any(fault.path[:5] == path for fault in self.faults)
            if isinstance(stage, dict) and "loss" in stage and not wrong:
                stage["loss"] = expander.expand(stage["loss"], path, training["loss"])
        self.faults += expander.faults


def _training_targets(part: Part | None) -> dict[str, TargetOptions]:
    """All targets of all training sets; gradients are those that any of the sets has."""
    merged: dict[str, dict[str, Any]] = {}
    for dataset in part if isinstance(part, list) else []:
        for name, target in dataset.targets.items():
            seen = merged.setdefault(name, dict(vars(target)))
            for gradient in (*GRADIENTS, *DERIVATIVES):
                seen[gradient] = seen[gradient] or getattr(target, gradient)
    return {name: TargetOptions(**values) for name, values in merged.items()}
