"""What networks with weights of each element prepare of a batch."""

from typing import List

from torch import Tensor

from mtt.graph import Graph
from mtt.nn.neighborhoods import layout_tensors, neighborhoods
from mtt.nn.species import order_tensors, sort_by_species


def rows_by_species(graph: Graph, n_types: int) -> List[Tensor]:
    """Atoms in the order of their elements, and the pairs as rows in that order.

    :param n_types: number of elements.
    :return: for :func:`mtt.nn.layout_of`, and from the third one on for :func:`mtt.nn.order_of`.
    """
    order = sort_by_species(graph.types, n_types, graph.counts)
    layout = neighborhoods(graph.centers, order.row_of_atom, graph.rows)
    tables = layout_tensors(layout)
    tables.extend(order_tensors(order))
    return tables
