"""The part of a model's base class that takes inputs beside the structure."""

from typing import Any, ClassVar, Dict, List, Sequence, Tuple

from metatomic.torch import ModelOutput, System

from mtt.data.info import DatasetInfo
from mtt.graph import Graph
from mtt.interface import ModelInterface
from mtt.mlip.inputs.names import OPTION, checked_inputs, requested
from mtt.mlip.inputs.reader import InputReader
from mtt.mlip.states import STATES, with_states

_INFINITE = float("inf")


class TakesInputs(ModelInterface):
    """Inputs of :class:`mtt.MLIPModel`: declared by the class, chosen by the option ``inputs``."""

    __supported_inputs__: ClassVar[Sequence[str]] = ()
    """``"charge"``, ``"spin_multiplicity"``, and numbers that users name: ``"number"`` of
    structures, ``"number per atom"``."""

    __input_hypers__: ClassVar[Sequence[str]] = (OPTION,)
    """Options of the model about its inputs: fine-tuning a model without inputs may set them."""

    input_names: Dict[str, bool]
    """The inputs that the options list, and whether each is of atoms."""

    state_inputs: bool
    """Whether predictions depend on ``graph.charges`` and ``graph.spins``, whatever is listed."""

    def set_up_inputs(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        """Take what the option ``inputs`` lists.

        :raises ArchitectureError: the class does not take one of them, or the data lack it.
        """
        listed = [str(name) for name in hypers.get(OPTION) or []]
        owner, supported = type(self).__name__, self.__supported_inputs__
        self.input_names = checked_inputs(owner, supported, listed, dataset_info)
        self.input_reader = InputReader(self.input_names) if self.input_names else None
        self.state_inputs = False

    def all_inputs(self) -> Dict[str, bool]:
        """Every input, and whether it is of atoms: those listed, and states of ``state_inputs``."""
        states = dict.fromkeys(STATES, False) if self.state_inputs else {}
        return {**self.input_names, **states}

    def requested_inputs(self) -> Dict[str, ModelOutput]:
        """What engines are asked for in addition to structures."""
        return requested(self.all_inputs())

    def with_inputs(self, graph: Graph, systems: List[System]) -> Graph:
        """``graph`` of ``systems`` with the inputs that these carry; compiled by TorchScript.

        :raises ValueError: a system lacks an input that has no default.
        """
        if self.state_inputs:
            graph = with_states(graph, systems)
        if self.input_reader is not None:
            graph = self.input_reader(graph, systems)
        return graph

    # ------------------------------------------ hooks: what an author may override

    def input_modules(self) -> Dict[str, List[str]]:
        """Names of the modules or parameters that serve some inputs only, by input.

        They begin with zero effect: fine-tuning adds them to a model without that input.
        """
        return {}

    def input_range(self, name: str) -> Tuple[float, float]:
        """The least and the greatest value that the model takes of an input."""
        least = 1.0 if name == "spin_multiplicity" else -_INFINITE
        return least, _INFINITE

    def scale_input(self, name: str, mean: float, spread: float) -> None:
        """Before a new training, and in fine-tuning for a new input: its values in the data.

        :param name: a number that the user named; not charge or spin.
        :param mean: of the training set.
        :param spread: standard deviation; 1 where all values are the same.
        """
