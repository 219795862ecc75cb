"""Contents of a validated, fully expanded options file, as plain, frozen values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mtt.options.aggregation import AUTO
from mtt.options.kinds import SCALAR, is_sum, kind_option
from mtt.options.yaml.interpolate import escape
from mtt.options.yaml.to_yaml import to_yaml

ReadFrom = str | list[str]
"""A file or a pattern, or several; see :func:`mtt.data.files.inputs.input_files`."""

GRADIENTS = ("forces", "stress", "virial")
DERIVATIVES = ("positions", "strain")
LOGGERS = ("line", "csv", "history")
"""What writes a training down unless the options say otherwise."""


def is_extensive(quantity: str, kind: str = SCALAR) -> bool:
    """Whether values of ``quantity`` are sums over atoms where the options do not say so.

    :param kind: text of the kind; vectors and tensors are sums.
    """
    return quantity == "energy" or is_sum(kind)


@dataclass(frozen=True)
class SystemsOptions:
    """Where the structures of a data set are read from.

    :param length_unit: unit of positions and cells, or ``""`` where none is given.
    """

    read_from: ReadFrom
    reader: str | None = None
    length_unit: str = ""


@dataclass(frozen=True)
class GradientOptions:
    """Where forces, stress or virial of an energy are, or derivatives of another target.

    :param explicit: False where the section is a default only, so that missing labels are
        no mistake.
    :param others: further keys of a default section; the first one that the file has
        is read, ``key`` before all.
    :param index: of derivatives of components, where the file has the index of the displacement
        (or the two of the strain): ``"last"``, after those of the value, or ``"first"``.
    """

    read_from: ReadFrom
    reader: str | None
    key: str
    explicit: bool = True
    others: tuple[str, ...] = ()
    index: str = "last"


@dataclass(frozen=True)
class TargetOptions:
    """One target, or one item of ``extra_data``.

    :param quantity: ``"energy"``, another one, or ``""``: the values are what their numbers are.
    :param key: name of the values in the file; empty where the file has none: an energy that is
        learnt from its derivatives alone.
    :param sample_kind: ``"system"`` (one value per structure), ``"atom"`` or ``"atom_pair"``.
    :param kind: ``"scalar"``, or the text of another kind, see :mod:`mtt.options.kinds`.
    :param extensive: the value of a structure is the sum over its atoms, not the mean.
    :param positions: derivatives of a target that is not an energy, as ``forces`` of one that is;
        so ``strain``.
    :param aggregation: how values of atoms make that of their structure; empty: by ``extensive``.
    :param readout_rank: ``"auto"``, ``"full"`` or a number, see :mod:`mtt.options.aggregation`.
    :param exchange: of values of pairs, ``"symmetric"``, ``"antisymmetric"`` or neither.
    """

    quantity: str
    read_from: ReadFrom
    reader: str | None
    key: str
    unit: str = ""
    sample_kind: str = "system"
    kind: str = "scalar"
    num_subtargets: int = 1
    description: str = ""
    extensive: bool = True
    aggregation: str = ""
    readout_rank: str | int = AUTO
    exchange: str = ""
    forces: GradientOptions | None = None
    stress: GradientOptions | None = None
    virial: GradientOptions | None = None
    positions: GradientOptions | None = None
    strain: GradientOptions | None = None

    def to_dict(self, *, gradients: bool = True) -> dict[str, Any]:
        """Convert to the form of options files; ``extra_data`` has no ``gradients``."""
        values = asdict(self)
        values["type"] = kind_option(values.pop("kind"))
        values["key"] = self.key or False
        if not gradients or self.extensive == is_extensive(self.quantity, self.kind):
            del values["extensive"]
        for name, default in (("aggregation", ""), ("readout_rank", AUTO), ("exchange", "")):
            if not gradients or values[name] == default:
                del values[name]
        for name in GRADIENTS:
            section = values.pop(name)
            if not gradients:
                continue
            if section is None:
                values[name] = False
            elif section["explicit"]:
                values[name] = {k: section[k] for k in ("read_from", "reader", "key")}
            # a section that was added by default is left out, so that it stays a default
        written = {name: values.pop(name) for name in DERIVATIVES}
        kept = ("read_from", "reader", "key", "index")
        derivatives = {n: {k: one[k] for k in kept} for n, one in written.items() if one}
        return values | ({"gradients": derivatives} if derivatives else {})


@dataclass(frozen=True)
class DatasetOptions:
    """One data set.

    :param indices: structures to use, in this order; None: all.
    :param weight: of all structures in the loss, or the key of a number per structure in the
        file; None: 1, or what a packed data set holds.
    :param name: what its errors are reported under where there are several; may be empty.
    """

    systems: SystemsOptions
    targets: dict[str, TargetOptions] = field(default_factory=dict)
    extra_data: dict[str, TargetOptions] = field(default_factory=dict)
    indices: list[int] | None = None
    weight: float | str | None = None
    name: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Convert to the form of options files."""
        extra = {name: item.to_dict(gradients=False) for name, item in self.extra_data.items()}
        return {
            "systems": asdict(self.systems),
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
            **({"extra_data": extra} if extra else {}),
            **({"indices": self.indices} if self.indices is not None else {}),
            **({"weight": self.weight} if self.weight is not None else {}),
            **({"name": self.name} if self.name else {}),
        }


@dataclass(frozen=True)
class IndexSplit:
    """A part of the (single) training set, by the indices of its structures."""

    indices: list[int]


Part = list[DatasetOptions] | float | IndexSplit
"""A validation or test set: its own data, or a fraction or indices of the training set."""


@dataclass(frozen=True)
class Options:
    """The options of a training.

    :param device: ``"cpu"``, ``"cuda"``, ``"gpu"``, ``"mps"``, or None to choose.
    :param base_precision: 32 or 64 bits, or None for what the model prefers.
    :param seed: seed of everything random; drawn here where the file gives none.
    :param print_stats: True, False or ``"auto"`` (less than a million structures).
    :param architecture: ``name``, ``atomic_types`` (ascending, or None), ``model``,
        ``training``; the loss in its internal form.
    :param loggers: names of console and file loggers, also of entry points.
    :param tensorboard: ``log_dir`` or nothing; None where it is off.
    :param wandb: arguments of ``wandb.init``; None where it is off.
    :param mlflow: where MLflow records the run, and as what; None where it is off.
    :param aim: where Aim records the run, and as what; None where it is off.
    :param remote: URL that gets a copy of the run's files, or None.
    :param report: whether the run folder gets a ``report.html``.
    :param source: the file as the user named it, empty for a dict.
    :param notices: messages for the user, mostly on deprecated names.
    """

    device: str | None
    base_precision: int | None
    seed: int
    print_stats: bool | str
    final_eval: bool
    architecture: dict[str, Any]
    training_set: list[DatasetOptions]
    validation_set: Part
    test_set: Part
    loggers: tuple[str, ...] = LOGGERS
    tensorboard: dict[str, Any] | None = None
    wandb: dict[str, Any] | None = None
    mlflow: dict[str, Any] | None = None
    aim: dict[str, Any] | None = None
    remote: str | None = None
    report: bool = True
    source: str = field(default="", compare=False)
    notices: tuple[str, ...] = field(default=(), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Convert to the form of options files."""
        return {
            "device": self.device,
            "base_precision": self.base_precision,
            "seed": self.seed,
            "print_stats": self.print_stats,
            "final_eval": self.final_eval,
            "report": self.report,
            "loggers": list(self.loggers),
            "tensorboard": _switch(self.tensorboard),
            "wandb": _switch(self.wandb),
            "mlflow": _switch(self.mlflow),
            "aim": _switch(self.aim),
            "remote": self.remote,
            "architecture": self.architecture,
            "training_set": _part(self.training_set),
            "validation_set": _part(self.validation_set),
            "test_set": _part(self.test_set),
        }

    def to_yaml(self) -> str:
        """An options file that gives these options again, fully spelled out."""
        return to_yaml(escape(self.to_dict()))


def _switch(settings: dict[str, Any] | None) -> dict[str, Any] | bool:
    # an empty mapping is how metatrain writes "off"
    return settings or settings is not None


def _part(part: Part) -> Any:
    if isinstance(part, IndexSplit):
        return {"indices": part.indices}
    return [dataset.to_dict() for dataset in part] if isinstance(part, list) else part
