"""A target of every kind, for structures and for atoms, and how each turns with its structure."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtt import Target, TargetInfo
from mtt.data.kinds.cartesian import Cartesian
from mtt.data.kinds.spherical import Spherical
from mtt.data.target_kind import TargetKind

POSITIONS, STRAIN = "positions", "strain"


def _irreps(*pairs: tuple[int, int], **further: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"o3_lambda": l, "o3_sigma": sigma, **further} for l, sigma in pairs)


_KINDS: dict[str, TargetKind] = {
    "vector": Cartesian(1),
    "3×3 tensor": Cartesian(2),
    "symmetric 3×3 tensor": Cartesian(2, symmetric=True),
    "symmetric 3×3 tensor without trace": Cartesian(2, symmetric=True, traceless=True),
    "l = 0, 1, 2, 3": Spherical(_irreps((0, 1), (1, 1), (2, 1), (3, 1))),
    "l = 1, σ = -1": Spherical(_irreps((1, -1))),
    "l = 2, σ = -1": Spherical(_irreps((2, -1))),
    "l = 3, σ = -1": Spherical(_irreps((3, -1))),
    "l = 0, σ = -1": Spherical(_irreps((0, -1))),
    "l = 0, 1 with 2 channels": Spherical(_irreps((0, 1), (1, 1), num=2)),
}
_OF_ATOMS: dict[str, TargetKind] = {
    "product of l = 0, 1": Spherical(_irreps((0, 1), (1, 1)), "cartesian"),
    "coupled product of l = 0, 1": Spherical(_irreps((0, 1), (1, 1)), "coupled"),
}
_WITH_SLOPES = {"vector": (POSITIONS, STRAIN), "symmetric 3×3 tensor": (POSITIONS,)}


def _targets() -> dict[str, TargetInfo]:
    """By what the table calls them."""
    found = {"scalar": TargetInfo(extensive=False, gradients=(POSITIONS,))}
    for name, kind in _KINDS.items():
        found[name] = TargetInfo(kind=kind.text, gradients=_WITH_SLOPES.get(name, ()))
    found["scalar of atoms"] = TargetInfo(sample_kind="atom")
    for name, kind in {**_KINDS, **_OF_ATOMS}.items():
        found[f"{name}, of atoms"] = TargetInfo(kind=kind.text, sample_kind="atom")
    return found


_NAMED = _targets()
_VECTOR, _TENSOR = (_KINDS[name].text for name in ("vector", "symmetric 3×3 tensor"))
TITLES = {f"mtt::t{i}": title for i, title in enumerate(_NAMED)}
TARGETS: dict[str, TargetInfo] = {
    "energy": TargetInfo(quantity="energy", unit="eV", gradients=(POSITIONS, STRAIN)),
    **dict(zip(TITLES, _NAMED.values(), strict=True)),
    "non_conservative_force": TargetInfo(kind=_VECTOR, unit="eV/A", sample_kind="atom"),
    "non_conservative_stress": TargetInfo(kind=_TENSOR, unit="eV/A^3", extensive=False),
}
"""By the names of their outputs; ``TITLES`` has what the table calls them."""


def turned(info: TargetInfo, target: Target, turn: Tensor) -> Target:
    """A prediction as it is once the structure is turned by ``turn`` [3, 3], orthogonal."""
    kind = info.of_kind

    def rotated(values: Tensor) -> Tensor:
        return kind.rotated(values, turn.expand(len(values), 3, 3))

    values = rotated(target.values)
    forces, strain = target.forces, target.strain
    if forces is not None:
        forces = _along(rotated, forces, turn, 1)
    if strain is not None:
        strain = _along(rotated, strain, turn, 2)
    return Target(values, forces, strain)


def _along(rotated: Any, slopes: Tensor, turn: Tensor, axes: int) -> Tensor:
    """Derivatives [n, 3, …] with ``axes`` indices of the derivative, of values that turn too."""
    if slopes.dim() > 1 + axes:  # of components: those turn by their kind
        flat = slopes.flatten(0, axes)
        slopes = rotated(flat).reshape(slopes.shape)
    slopes = torch.einsum("ij,nj...->ni...", turn, slopes)
    return slopes if axes == 1 else torch.einsum("ij,nkj...->nki...", turn, slopes)
