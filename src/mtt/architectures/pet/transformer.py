"""Attention among an atom and its neighbours, and the transformer layers around it."""

import math
from typing import NamedTuple, Tuple

import torch
from torch import Tensor

from mtt.nn import Neighborhoods, lay_out


class Tokens(NamedTuple):
    """The order of tokens: those of the atoms first, then those of the pairs."""

    layout: Neighborhoods  # one row per atom: its own token, then those of its pairs
    bias: Tensor  # [n_atoms, 1, 1, width], log of the weight of each token; -inf in empty slots


def arrange(pairs: Neighborhoods, centers: Tensor, log_weights: Tensor) -> Tokens:
    """Tokens of atoms and of their pairs, each in the row of its atom.

    :param pairs: layout of the pairs alone; row i belongs to atom i.
    :param centers: [P] int64, row of each pair.
    :param log_weights: [P]; atoms count fully in their own surroundings.
    """
    width = pairs.width + 1
    atoms = torch.arange(pairs.n_rows, device=centers.device)
    # one slot more in each row
    slots = torch.cat([atoms * width, pairs.slots + centers + 1])
    layout = Neighborhoods(slots, pairs.n_rows, width)
    weights = torch.cat([log_weights.new_zeros(pairs.n_rows), log_weights])
    bias = lay_out(weights[:, None], layout, -math.inf)
    return Tokens(layout, bias.view(pairs.n_rows, 1, 1, width))


class Attention(torch.nn.Module):
    """Multi-head attention (Vaswani et al., arXiv:1706.03762) within each row of tokens.

    The attention paid to a token is multiplied by its weight before it is normalised: one of
    weight 0 counts as if it were not there.

    :param temperature: scores are divided by it.
    """

    def __init__(self, width: int, n_heads: int, temperature: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.temperature = float(temperature)
        self.factor = 1 / (math.sqrt(width // n_heads) * temperature)
        self.inward = torch.nn.Linear(width, 3 * width)
        self.outward = torch.nn.Linear(width, width)

    def forward(self, x: Tensor, tokens: Tokens) -> Tensor:
        """[n_tokens, width] to the same."""
        n_rows, n_slots = tokens.layout.n_rows, tokens.layout.width
        table = lay_out(self.inward(x), tokens.layout, 0.0)
        size = x.shape[1] // self.n_heads
        parts = table.view(n_rows, n_slots, 3, self.n_heads, size).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts.unbind(0)
        scores = (queries * self.factor) @ keys.transpose(2, 3) + tokens.bias
        mixed = torch.softmax(scores, dim=3) @ values
        rows = mixed.transpose(1, 2).reshape(n_rows * n_slots, x.shape[1])
        result: Tensor = self.outward(rows.index_select(0, tokens.layout.slots))
        return result

    def extra_repr(self) -> str:
        return f"n_heads={self.n_heads}, temperature={self.temperature}"


class RMSNorm(torch.nn.RMSNorm):
    """gain · x / √(mean x² + ε) (Zhang and Sennrich, arXiv:1910.07467).

    Written out, so that it has derivatives of every order on every device.

    :param epsilon: 0 means the rounding unit of the precision, torch's own default.
    """

    def __init__(self, width: int, epsilon: float = 1e-6) -> None:
        super().__init__(width)
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        epsilon = self.epsilon
        if epsilon == 0.0:
            epsilon = 2.0**-52 if x.dtype == torch.float64 else 2.0**-23
        square = (x * x).mean(dim=-1, keepdim=True)
        return x * torch.rsqrt(square + epsilon) * self.weight


def make_norm(kind: str, width: int, epsilon: float = 1e-6) -> torch.nn.Module:
    """``RMSNorm`` (with ``epsilon``) or ``LayerNorm`` of ``width`` features."""
    return RMSNorm(width, epsilon) if kind == "RMSNorm" else torch.nn.LayerNorm(width)


class FeedForward(torch.nn.Module):
    """Two linear layers with SiLU between, or with a gate, SwiGLU (Shazeer, arXiv:2002.05202).

    :param sigmoid: the gate is the logistic function, the GLU of the same paper, not SiLU.
    """

    def __init__(self, width: int, hidden: int, activation: str, sigmoid: bool = False) -> None:
        super().__init__()
        self.gated = activation == "SwiGLU"
        self.sigmoid = sigmoid
        self.inward = torch.nn.Linear(width, 2 * hidden if self.gated else hidden)
        self.outward = torch.nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, width] to the same."""
        x = self.inward(x)
        if self.gated:
            x, gate = x.chunk(2, dim=1)
            x = x * (torch.sigmoid(gate) if self.sigmoid else torch.nn.functional.silu(gate))
        else:
            x = torch.nn.functional.silu(x)
        result: Tensor = self.outward(x)
        return result

    def extra_repr(self) -> str:
        if not self.gated:
            return "SiLU"
        return "GLU" if self.sigmoid else "SwiGLU"


class TransformerLayer(torch.nn.Module):
    """Attention, then a feed-forward network for pairs and a wider one for atoms.

    Atoms are wider than pairs: their tokens are projections of their features.

    :param widths: features of pairs, of atoms, and hidden ones of the pairs' network. That of
        the atoms has twice as many hidden features as they have.
    :param normalise_first: normalise what goes into each part (PreLN: Xiong et al.,
        arXiv:2002.04745), else what comes out of its residual sum (PostLN).
    """

    def __init__(
        self,
        widths: Tuple[int, int, int],
        n_heads: int,
        temperature: float,
        norm: str,
        activation: str,
        normalise_first: bool,
    ) -> None:
        super().__init__()
        d_pair, d_node, d_hidden = widths
        self.normalise_first = normalise_first
        self.contract = torch.nn.Linear(d_node, d_pair)
        self.norm_tokens = make_norm(norm, d_pair)
        self.attention = Attention(d_pair, n_heads, temperature)
        self.norm_pairs = make_norm(norm, d_pair)
        self.pair_network = FeedForward(d_pair, d_hidden, activation)
        self.expand = torch.nn.Linear(d_pair, d_node)
        self.norm_nodes = make_norm(norm, d_node)
        self.node_network = FeedForward(d_node, 2 * d_node, activation)

    def forward(self, nodes: Tensor, pairs: Tensor, tokens: Tokens) -> Tuple[Tensor, Tensor]:
        """Features of atoms [n_atoms, d_node] and of pairs [P, d_pair] to the same."""
        x = torch.cat([self.contract(nodes), pairs])
        sizes = [nodes.shape[0], pairs.shape[0]]
        if self.normalise_first:
            x = x + self.attention(self.norm_tokens(x), tokens)
            own, pairs = x.split(sizes)
            nodes = nodes + self.expand(own)
            nodes = nodes + self.node_network(self.norm_nodes(nodes))
            return nodes, pairs + self.pair_network(self.norm_pairs(pairs))
        x = self.norm_tokens(x + self.attention(x, tokens))
        own, pairs = x.split(sizes)
        nodes = nodes + self.expand(own)
        nodes = self.norm_nodes(nodes + self.node_network(nodes))
        return nodes, self.norm_pairs(pairs + self.pair_network(pairs))

    def extra_repr(self) -> str:
        return "PreLN" if self.normalise_first else "PostLN"
