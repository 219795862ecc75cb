"""Real structures for the building blocks."""

import pytest
import torch


@pytest.fixture
def surroundings():
    """Pairs of three random clusters: centers, neighbors [P] and vectors [P, 3] float64."""
    generator = torch.Generator().manual_seed(5)
    positions = torch.rand(3, 5, 3, generator=generator, dtype=torch.float64) * 3.0
    centers, neighbors, vectors = [], [], []
    for k in range(3):
        for i in range(5):
            for j in range(5):
                vector = positions[k, j] - positions[k, i]
                if i != j and vector.norm() < 3.0:
                    centers.append(5 * k + i)
                    neighbors.append(5 * k + j)
                    vectors.append(vector)
    return torch.tensor(centers), torch.tensor(neighbors), torch.stack(vectors)
