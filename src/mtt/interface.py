"""The contract of an architecture: what the platform calls, and what it may rely on.

An architecture folder exposes ``__model__`` (a :class:`ModelInterface`) and ``__trainer__``
(a :class:`TrainerInterface`). Energy models rather build on ``mtt.MLIPModel`` and
``mtt.MLIPTrainer``, which implement all of this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Literal, Optional

import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)

from mtt.ranks import Ranks, SerialRanks

if TYPE_CHECKING:
    from mtt.data import Dataset, DatasetInfo

Context = Literal["restart", "finetune", "export"]
"""Why a checkpoint is loaded: ``restart`` takes the latest weights, the others the best."""

Listener = Callable[[str, Mapping[str, Any], int], None]
"""Called as ``listener(category, values, epoch)``, once per event of a run."""


@dataclass(frozen=True)
class Run:
    """What a trainer knows about the run that it belongs to.

    :param seed: seed of everything random in the run.
    :param architecture: name of the architecture, as checkpoints store it.
    :param directory: the run folder, or None outside of one (a notebook, a test).
    :param listeners: get every event of the training.
    :param own_loggers: whether the trainer writes the run down by itself (console and files);
        False where ``listeners`` do.
    :param provenance: where the weights come from; stored in checkpoints. Plain types.
    :param ranks: the processes that train together. What follows from the data of all of them is
        asked of it, and only its first one writes.
    """

    seed: int = 0
    architecture: str = ""
    directory: Path | None = None
    listeners: Sequence[Listener] = ()
    own_loggers: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)
    ranks: Ranks = field(default_factory=SerialRanks)


class ModelInterface(torch.nn.Module, ABC):
    """A model: built as ``Model(hypers["model"], dataset_info)``.

    :raises TypeError: a class attribute of the contract is missing.
    """

    __checkpoint_version__: ClassVar[int]
    __supported_devices__: ClassVar[List[str]]  # in order of preference
    __supported_dtypes__: ClassVar[List[torch.dtype]]  # in order of preference
    __default_metadata__: ClassVar[ModelMetadata]

    __conformance_exceptions__: ClassVar[Dict[str, str]] = {}
    """What the model does not promise: name of a check of ``mtt.testing`` to the reason."""

    def __init__(
        self,
        hypers: Dict[str, Any],
        dataset_info: DatasetInfo,
        metadata: Optional[ModelMetadata] = None,
    ) -> None:
        _check_attributes(type(self), _MODEL_ATTRIBUTES)
        super().__init__()
        self.hypers = hypers
        self.dataset_info = dataset_info
        self.metadata = self.__default_metadata__ if metadata is None else metadata

    @classmethod
    def platform_hypers(cls) -> Dict[str, Any]:
        """Model options of the platform, below the folder's own; empty but for its own models.

        They are validated as ``mtt:model``, and are in ``hypers`` if they are set.
        """
        return {}

    @classmethod
    def pretrained(cls, hypers: Dict[str, Any]) -> Optional[str]:
        """Name of the published weights that a new model with these options has; None: random.

        A training then starts like the fine-tuning of a model of this name: see
        ``docs/src/writing-an-architecture.md``.

        :param hypers: options of the model, valid by the folder's schema.
        """
        return None

    def before_export(self) -> None:
        """Called on the copy that is exported, on the CPU, before TorchScript compiles it.

        For parts that TorchScript cannot compile as they are trained.
        """

    def extra_repr(self) -> str:
        """What the model is built from: elements, targets, options."""
        info = self.dataset_info
        what = {"atomic_types": list(info.atomic_types), "targets": list(info.targets)}
        return ", ".join(f"{key}={value!r}" for key, value in {**what, **self.hypers}.items())

    @abstractmethod
    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        """Predict the requested ``outputs`` (and nothing else) for ``systems``."""

    @abstractmethod
    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        """The neighbour lists that every system must carry when it comes to ``forward``."""

    @abstractmethod
    def supported_outputs(self) -> Dict[str, ModelOutput]:
        """All that ``forward`` can predict; becomes the capabilities of the exported model."""

    @abstractmethod
    def restart(self, dataset_info: DatasetInfo) -> ModelInterface:
        """This model, made ready to continue with ``dataset_info``.

        Called after loading, for restarts and for fine-tuning.

        :raises ArchitectureError: the data ask for something that this model cannot learn.
        """

    @abstractmethod
    def get_checkpoint(self) -> Dict[str, Any]:
        """All that :meth:`load_checkpoint` needs: tensors and plain types only.

        Must hold ``"model_ckpt_version"``; the platform adds ``"architecture_name"``.
        """

    @classmethod
    @abstractmethod
    def load_checkpoint(cls, checkpoint: Dict[str, Any], context: Context) -> ModelInterface:
        """The model in ``checkpoint``: latest weights to restart, best ones otherwise."""

    @classmethod
    @abstractmethod
    def upgrade_checkpoint(cls, checkpoint: Dict[str, Any]) -> Dict[str, Any]:
        """``checkpoint`` of an older ``__checkpoint_version__``, as of this one."""

    @abstractmethod
    def export(self, metadata: Optional[ModelMetadata] = None) -> AtomisticModel:
        """This model as metatomic's ``AtomisticModel``."""


class TrainerInterface(ABC):
    """A trainer: built as ``Trainer(hypers["training"])``.

    :raises TypeError: ``__checkpoint_version__`` is missing.
    """

    __checkpoint_version__: ClassVar[int]

    run: Run = Run()
    """The run that the trainer belongs to; set by the platform before :meth:`train`.

    A trainer reports events to its listeners, by the categories of the page "Logging".
    """

    __several_ranks__: ClassVar[bool] = False
    """Whether :meth:`train` shares its work with the other ranks of :attr:`run`, see
    :class:`mtt.ranks.Ranks`; a training on several processes is refused without."""

    def __init__(self, hypers: Dict[str, Any]) -> None:
        if vars(self):
            names = ", ".join(sorted(vars(self)))
            raise ValueError(
                f"{type(self).__name__} sets {names} before super().__init__(hypers); call it first"
            )
        _check_attributes(type(self), _TRAINER_ATTRIBUTES)
        self.hypers = hypers

    def attach_logger(self, logger: Listener) -> None:
        """Call ``logger(category, values, epoch)`` once for every event of the training."""
        self.run = replace(self.run, listeners=(*self.run.listeners, logger))

    @classmethod
    def platform_hypers(cls) -> Dict[str, Any]:
        """Training defaults below the folder's own; empty but for the platform's trainers."""
        return {}

    @classmethod
    def quick_fit(cls, dataset_info: DatasetInfo) -> Dict[str, Any] | None:
        """Options ``{"model": …, "training": …}`` with which the architecture fits within seconds.

        They are laid over the defaults, by ``mtt check --fit``. None, as here, for architectures
        that learn by steps.
        """
        return None

    def check(  # noqa: B027 - not every trainer has something to refuse
        self,
        model: ModelInterface,
        dtype: torch.dtype,
        devices: List[torch.device],
        train_datasets: List[Dataset],
        val_datasets: List[Dataset],
    ) -> None:
        """Refuse, before anything is written, what :meth:`train` would; nothing by default.

        :raises MttError: options that do not fit the data.
        """

    @abstractmethod
    def train(
        self,
        model: ModelInterface,
        dtype: torch.dtype,
        devices: List[torch.device],
        train_datasets: List[Dataset],
        val_datasets: List[Dataset],
        checkpoint_dir: str,
    ) -> None:
        """Train ``model`` in place."""

    @abstractmethod
    def save_checkpoint(self, model: ModelInterface, path: str | Path) -> None:
        """Write a checkpoint that :meth:`load_checkpoint` and the model's can read."""

    @classmethod
    @abstractmethod
    def load_checkpoint(
        cls, checkpoint: Dict[str, Any], hypers: Dict[str, Any], context: Context
    ) -> TrainerInterface:
        """A trainer that continues where ``checkpoint`` stopped, with ``hypers``."""

    @classmethod
    @abstractmethod
    def upgrade_checkpoint(cls, checkpoint: Dict[str, Any]) -> Dict[str, Any]:
        """``checkpoint`` of an older ``__checkpoint_version__``, as of this one."""


_MODEL_ATTRIBUTES = (
    "__checkpoint_version__",
    "__supported_devices__",
    "__supported_dtypes__",
    "__default_metadata__",
)
_TRAINER_ATTRIBUTES = ("__checkpoint_version__",)


def _check_attributes(owner: type, names: Sequence[str]) -> None:
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        raise TypeError(f"{owner.__name__} lacks the class attribute {', '.join(missing)}")
