"""One round of message passing, what comes between two of them, and what is read out."""

from typing import Any, Dict, List, Tuple

import torch
from torch import Tensor

from mtt.architectures.pet.metatrain_layer import MetatrainLayer
from mtt.architectures.pet.transformer import Tokens, TransformerLayer
from mtt.nn import Neighborhoods, lay_out


class GeometryLinear(torch.nn.Linear):
    """A linear layer in full precision also where autocast is on: 16 bits are too coarse."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.jit.is_scripting():  # noqa: SIM102  TorchScript reads one without `and`
            if torch.is_autocast_enabled(x.device.type):
                with torch.autocast(x.device.type, enabled=False):
                    return torch.nn.functional.linear(x, self.weight, self.bias)
        return torch.nn.functional.linear(x, self.weight, self.bias)


class GNNLayer(torch.nn.Module):
    """A transformer on an atom and its neighbours, whose tokens hold the messages to the atom.

    The token of a pair is made of its vector and length, the neighbour's element, and the
    message that has come along it.

    :param hypers: options of the model.
    :param n_types: elements; 0 where the messages hold the neighbour's element.
    """

    def __init__(self, hypers: Dict[str, Any], n_types: int) -> None:
        super().__init__()
        width: int = hypers["d_pet"]
        self.geometry = GeometryLinear(4, width)
        self.species = torch.nn.ModuleList()
        if n_types > 0:
            self.species.append(torch.nn.Embedding(n_types, width))
        self.compress = torch.nn.Sequential(
            torch.nn.Linear((2 + len(self.species)) * width, width),
            torch.nn.SiLU(),
            torch.nn.Linear(width, width),
        )
        layer = MetatrainLayer if hypers["formulation"] == "metatrain" else TransformerLayer
        self.layers = torch.nn.ModuleList(
            layer(
                (width, hypers["d_node"], hypers["d_feedforward"]),
                hypers["num_heads"],
                hypers["attention_temperature"],
                hypers["normalization"],
                hypers["activation"],
                hypers["transformer_type"] == "PreLN",
            )
            for _ in range(hypers["num_attention_layers"])
        )

    def forward(
        self, nodes: Tensor, messages: Tensor, geometry: Tensor, types: Tensor, tokens: Tokens
    ) -> Tuple[Tensor, Tensor]:
        """New features of atoms [n_atoms, d_node] and of pairs [P, d_pet].

        :param messages: [P, d_pet].
        :param geometry: [P, 4], vector and length.
        :param types: [P] int64, element of each neighbour.
        """
        parts: List[Tensor] = [self.geometry(geometry), messages]
        for table in self.species:
            parts.append(table(types))
        # what is summed up from here on is in full precision, also where autocast is on
        pairs = self.compress(torch.cat(parts, dim=1)).to(geometry.dtype)
        for layer in self.layers:
            nodes, pairs = layer(nodes, pairs, tokens)
        return nodes, pairs


class Exchange(torch.nn.Module):
    """New messages from those before, and from the features of a pair seen from both ends."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.network = torch.nn.Sequential(
            torch.nn.LayerNorm(2 * width),
            torch.nn.Linear(2 * width, 2 * width),
            torch.nn.SiLU(),
            torch.nn.Linear(2 * width, width),
        )

    def forward(self, messages: Tensor, pairs: Tensor, reverse: Tensor) -> Tensor:
        """[P, width].

        :param reverse: [P] int64, the number of each pair seen from its other end.
        """
        both = torch.cat([pairs, pairs.index_select(0, reverse)], dim=1)
        change: Tensor = self.network(both)
        return messages + pairs + change


class Average(torch.nn.Module):
    """New messages: the mean of those before and the features of the pair's other end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, messages: Tensor, pairs: Tensor, reverse: Tensor) -> Tensor:
        """As :class:`Exchange`."""
        return 0.5 * (messages + pairs.index_select(0, reverse))

    def extra_repr(self) -> str:
        return f"{self.width}"


class Readout(torch.nn.Module):
    """Values of atoms, the sum over levels of features: from the atoms' own and their pairs'.

    :param n_out: numbers of the target: its properties, of each component.
    """

    def __init__(self, hypers: Dict[str, Any], n_out: int, n_levels: int) -> None:
        super().__init__()
        d_node, d_pair, hidden = hypers["d_node"], hypers["d_pet"], hypers["d_head"]
        self.nodes = torch.nn.ModuleList(head(d_node, hidden, n_out) for _ in range(n_levels))
        self.pairs = torch.nn.ModuleList(head(d_pair, hidden, n_out) for _ in range(n_levels))

    def forward(
        self, levels: List[Tuple[Tensor, Tensor]], weights: Tensor, layout: Neighborhoods
    ) -> Tensor:
        """[n_atoms, n_out].

        :param levels: features of atoms [n_atoms, d_node] and of pairs [P, d_pet].
        :param weights: [P, 1], cutoff function of each pair.
        """
        of_atoms: List[Tensor] = []
        for i, (for_node, for_pair) in enumerate(zip(self.nodes, self.pairs, strict=True)):
            nodes, pairs = levels[i]
            of_atoms.append(for_node(nodes) + summed(for_pair(pairs) * weights, layout))
        return torch.stack(of_atoms).sum(dim=0)

    def features(
        self, levels: List[Tuple[Tensor, Tensor]], weights: Tensor, layout: Neighborhoods
    ) -> Tensor:
        """[n_atoms, 2 · levels · hidden], what the last layers of atoms and pairs multiply."""
        found: List[Tensor] = []
        for i, (for_node, for_pair) in enumerate(zip(self.nodes, self.pairs, strict=True)):
            nodes, pairs = levels[i]
            left = len(for_node)  # type: ignore[arg-type]
            for layer in for_node:  # type: ignore[attr-defined]
                left -= 1
                if left > 0:
                    nodes = layer(nodes)
            left = len(for_pair)  # type: ignore[arg-type]
            for layer in for_pair:  # type: ignore[attr-defined]
                left -= 1
                if left > 0:
                    pairs = layer(pairs)
            found.append(nodes)
            found.append(summed(pairs * weights, layout))
        return torch.cat(found, dim=1)


def summed(values: Tensor, layout: Neighborhoods) -> Tensor:
    """[n_atoms, k] sums of [P, k] over the pairs of each atom."""
    table = lay_out(values, layout, 0.0)
    return table.view(layout.n_rows, layout.width, values.shape[1]).sum(dim=1)


def head(n_in: int, hidden: int, n_out: int) -> torch.nn.Sequential:
    """Two hidden layers of ``hidden`` neurons, and a linear one."""
    return torch.nn.Sequential(
        torch.nn.Linear(n_in, hidden),
        torch.nn.SiLU(),
        torch.nn.Linear(hidden, hidden),
        torch.nn.SiLU(),
        torch.nn.Linear(hidden, n_out),
    )
