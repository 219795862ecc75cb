"""Vectors and tensors in the data that can be targets: dipoles, polarizabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from mtt.data.labels.keys import numbers_in
from mtt.drafting.content import Content

_VECTOR = re.compile(r"dipole|polari[sz]ation$", re.IGNORECASE)
_TENSOR = re.compile(r"polari[sz]abilit|dielectric", re.IGNORECASE)


def tensors_of(content: Content) -> Iterator[tuple[str, str]]:
    """Key and ``type`` of each vector and tensor of rank 2 that every structure has."""
    for key in content.keys:
        if key.per_atom or len(key.frames) < len(content.frames):
            continue
        if key.shape == "3 numbers" and _VECTOR.search(key.name):
            yield key.name, "cartesian: {rank: 1}"
        elif key.shape == "9 numbers" and _TENSOR.search(key.name):
            found = [numbers_in(frame.per_structure[key.name]) for frame in content.frames]
            values = [value.reshape(3, 3) for value in found]
            symmetric = all(np.allclose(value, value.T, rtol=1e-6) for value in values)
            yield key.name, f"cartesian: {{rank: 2{', symmetric: true' * symmetric}}}"
