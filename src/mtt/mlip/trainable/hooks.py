"""What an architecture says of itself so that it can be fine-tuned beyond its first data."""

from typing import Any, ClassVar, Dict, List, Optional, Sequence

from torch import Tensor

from mtt.errors import ArchitectureError
from mtt.interface import ModelInterface


class Tunable(ModelInterface):
    """The part of a model that is about new targets, new elements, and frozen weights.

    All of it is optional: a model that says nothing can be fine-tuned to data of its own
    targets and elements.
    """

    __target_hypers__: ClassVar[Sequence[str]] = ()
    """Options of the model that are mappings from targets: those of new targets are free."""

    finetuning: Optional[Dict[str, Any]] = None
    """What fine-tuning has done to the module: frozen parameters, low-rank corrections."""

    element_history: Optional[List[List[int]]] = None
    """The atomic numbers that the weights knew before more came, the first lists first."""

    def head_modules(self) -> Dict[str, List[str]]:
        """For every target the names of modules or parameters that serve it alone.

        The same kinds in the same order for every target. Empty: not told apart.
        """
        return {}

    def extend_elements(self, name: str, known: Tensor, places: List[int]) -> Tensor:
        """The parameter or buffer ``name`` of this new model, which knows more elements.

        Predictions for the elements that were known must stay what they were.

        :param known: the same of the model that knew fewer.
        :param places: where its elements stand among ``dataset_info.atomic_types``.
        :raises ArchitectureError: this architecture does not say how; the default.
        """
        raise ArchitectureError(f"{type(self).__name__} cannot learn more elements")

    def remember_elements(self, history: List[List[int]]) -> None:
        """Called when the model is built, and again whenever it is loaded.

        For what depends on the elements that were known before and stands in no weight.

        :param history: see ``element_history``; not empty.
        """
        self.element_history = [list(elements) for elements in history]
