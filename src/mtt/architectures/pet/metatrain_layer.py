"""The transformer layer as metatrain has it, for the weights that it trained."""

from typing import Tuple

import torch
from torch import Tensor

from mtt.architectures.pet.transformer import Attention, FeedForward, Tokens, make_norm


class MetatrainLayer(torch.nn.Module):
    """Differs from :class:`mtt.architectures.pet.transformer.TransformerLayer` in details.

    - Atoms that are wider than pairs take what attention gives (PreLN), or their token after
      both of its parts (PostLN), as an addition to their features; their own network always
      follows a norm.
    - Atoms that are as wide as pairs have no separate network: with PreLN their features
      are what attention gives, with PostLN they are treated as pairs are.
    - The gate of SwiGLU is the logistic function, ε of RMSNorm the rounding unit.

    Facts of metatrain 2026.4 (``metatrain.pet``, BSD-3-Clause).

    Parameters as those of ``TransformerLayer``.
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
        self.wide = d_node != d_pair
        self.norm_tokens = make_norm(norm, d_pair, 0.0)
        self.attention = Attention(d_pair, n_heads, temperature)
        self.norm_pairs = make_norm(norm, d_pair, 0.0)
        self.pair_network = FeedForward(d_pair, d_hidden, activation, sigmoid=True)
        self.contract: torch.nn.Module = torch.nn.Identity()
        self.expand: torch.nn.Module = torch.nn.Identity()
        self.norm_nodes: torch.nn.Module = torch.nn.Identity()
        self.node_network: torch.nn.Module = torch.nn.Identity()
        if self.wide:
            self.contract = torch.nn.Linear(d_node, d_pair)
            self.expand = torch.nn.Linear(d_pair, d_node)
            self.norm_nodes = make_norm(norm, d_node, 0.0)
            self.node_network = FeedForward(d_node, 2 * d_node, activation, sigmoid=True)

    def forward(self, nodes: Tensor, pairs: Tensor, tokens: Tokens) -> Tuple[Tensor, Tensor]:
        """Features of atoms [n_atoms, d_node] and of pairs [P, d_pair] to the same."""
        x = torch.cat([self.contract(nodes), pairs])
        sizes = [nodes.shape[0], pairs.shape[0]]
        if self.normalise_first:
            own, found = self.attention(self.norm_tokens(x), tokens).split(sizes)
            pairs = pairs + found
            pairs = pairs + self.pair_network(self.norm_pairs(pairs))
        else:
            x = self.norm_tokens(x + self.attention(x, tokens))
            own, pairs = self.norm_pairs(x + self.pair_network(x)).split(sizes)
        if not self.wide:
            return own, pairs
        nodes = nodes + self.expand(own)
        return nodes + self.node_network(self.norm_nodes(nodes)), pairs

    def extra_repr(self) -> str:
        return "PreLN" if self.normalise_first else "PostLN"
