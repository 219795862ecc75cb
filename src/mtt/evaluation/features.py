"""Features of atoms that a model offers, and what is asked of it altogether."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from metatensor.torch import TensorMap
from metatomic.torch import AtomisticModel
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.errors import ArchitectureError, ConfigError
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.outputs.features import is_feature

if TYPE_CHECKING:
    from mtt.data import Batch

SampleKind = Literal["atom", "system"]
"""Features of atoms, or their sums over structures."""


class Asked(NamedTuple):
    """What a model is asked for.

    :param targets: their ``gradients`` are those that are wanted, and energies have all.
    :param features: names of outputs.
    """

    targets: Mapping[str, TargetInfo]
    features: Sequence[str] = ()
    sample_kind: SampleKind = "atom"


def feature_outputs_of(model: ModelInterface | AtomisticModel) -> list[str]:
    """The outputs of ``model`` that hold features.

    :raises ConfigError: there are none.
    """
    if isinstance(model, ModelInterface):
        outputs = model.supported_outputs()
    else:
        outputs = model.capabilities().outputs
    found = [name for name, one in outputs.items() if is_feature(name)]
    if not found:
        what = "the model offers no features"
        hint = "leave the option out; authors: atomic_features of MLIPModel gives them"
        raise ConfigError(what, where="features", hint=hint)
    return found


def features_of_batch(model: MLIPModel, batch: Batch, asked: Asked) -> dict[str, Tensor]:
    """Output to [n, k] of what is asked for; [n_atoms, k] of atoms."""
    if not asked.features:
        return {}
    found = model.features_of(batch.graph, model.list_cutoff(), model.cutoff)
    chosen = {name: found[name].double() for name in asked.features}
    if asked.sample_kind == "atom":
        return chosen
    graph = batch.graph
    return {
        name: values.new_zeros(graph.n_systems, values.shape[1]).index_add(0, graph.system, values)
        for name, values in chosen.items()
    }


def feature_rows(name: str, tensor: TensorMap, n: int) -> Tensor:
    """[n, k] float64, the one block of an output of another program or an exported file.

    :raises ArchitectureError: not one row for each structure or atom.
    """
    values = torch.cat([block.values.reshape(len(block.samples), -1) for block in tensor.blocks()])
    if len(values) != n:
        raise ArchitectureError(f"the model gave {len(values)} rows of {name!r}, not {n}")
    return values.detach().double()
