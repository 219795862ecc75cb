"""A structure as a small SVG: a projection along the direction in which it is flattest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors
from numpy.typing import NDArray

from mtt.report.markup import Html, element

_WIDTH, _HEIGHT, _EDGE = 220.0, 150.0, 12.0  # px
_BOND = 1.2  # times the sum of the covalent radii
_LARGEST = 15.0  # px, radius of an atom


def picture(
    numbers: Sequence[int],
    positions: Sequence[Sequence[float]],
    cell: Sequence[Sequence[float]],
    pbc: Sequence[bool],
    label: str,
    angstrom: float = 1.0,
) -> Html:
    """The structure, atoms in the colours of Jmol, bonds within the cell, the cell dashed.

    :param label: read out in place of the picture.
    :param angstrom: one Å in the unit of the positions.
    """
    z = np.asarray(numbers)
    points = np.asarray(positions, dtype=float).reshape(-1, 3)
    corners = _corners(np.asarray(cell, dtype=float)) if any(pbc) else np.zeros((0, 2, 3))
    flat, edges = _projected(points, corners)
    radii = covalent_radii[z] * angstrom * 0.55
    place, factor = _fitted(np.concatenate([flat[:, :2], edges.reshape(-1, 3)[:, :2]]))
    factor = min(factor, _LARGEST / max(radii.max(), 1e-9)) if len(edges) == 0 else factor
    at = place(flat[:, :2], factor)
    ends = [place(pair[:, :2], factor) for pair in edges]
    lines = [_line(pair[0], pair[1], "cell") for pair in ends]
    bonds = _bonds(points, z, angstrom)
    order = np.argsort(flat[:, 2], kind="stable")
    depth = np.empty(len(z), dtype=int)
    depth[order] = np.arange(len(z))
    drawn = [(min(depth[i], depth[j]) - 0.5, _line(at[i], at[j], "bond")) for i, j in bonds]
    drawn += [(float(depth[i]), _atom(at[i], radii[i] * factor, int(z[i]))) for i in range(len(z))]
    inside = [*lines, *(one for _, one in sorted(drawn, key=lambda pair: pair[0]))]
    style = Html(
        ".cell{stroke:var(--muted);stroke-dasharray:3 3}.bond{stroke:var(--muted);stroke-width:2.5}"
    )
    view = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    title = element("title", label)
    return element(
        "svg", title, element("style", style), *inside, viewBox=view, role="img", aria_label=label
    )


def _projected(points: NDArray[Any], corners: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Points and edges in the frame of the principal axes, the shortest one towards the reader."""
    every = np.concatenate([points, corners.reshape(-1, 3)])
    middle = every.mean(axis=0)
    axes = np.linalg.svd(every - middle, full_matrices=True)[2]
    if np.linalg.det(axes) < 0:
        axes[2] *= -1  # not its mirror image
    if len(corners):
        axes = _tilt() @ axes  # a cell that is seen along an axis hides atoms behind atoms
    return (points - middle) @ axes.T, (corners - middle) @ axes.T


def _tilt() -> NDArray[Any]:
    """A small turn about the two axes of the picture."""
    a, b = 0.25, 0.18
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return np.asarray(about_x @ about_y)


def _fitted(flat: NDArray[Any]) -> tuple[Any, float]:
    """A function from the projection to the picture, and the largest scale that fits."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    span = np.maximum(high - low, 1e-9)
    room = np.array([_WIDTH, _HEIGHT]) - 2 * (_EDGE + _LARGEST / 2)
    middle = (low + high) / 2
    center = np.array([_WIDTH, _HEIGHT]) / 2

    def place(points: NDArray[Any], factor: float) -> NDArray[Any]:
        return np.asarray(center + (points - middle) * factor * np.array([1.0, -1.0]))

    return place, float(min(room / span))


def _bonds(points: NDArray[Any], z: NDArray[Any], angstrom: float) -> list[tuple[int, int]]:
    away = np.linalg.norm(points[:, None] - points[None], axis=2)
    limit = _BOND * angstrom * (covalent_radii[z][:, None] + covalent_radii[z][None])
    first, second = np.nonzero(np.triu(away < limit, k=1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _corners(cell: NDArray[Any]) -> NDArray[Any]:
    """[12, 2, 3] edges of the cell."""
    found = []
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        for a in (0, 1):
            for b in (0, 1):
                start = a * cell[others[0]] + b * cell[others[1]]
                found.append([start, start + cell[axis]])
    return np.array(found)


def _line(a: NDArray[Any], b: NDArray[Any], kind: str) -> Html:
    ends = {f"{name}{i}": f"{v:.1f}" for i, p in ((1, a), (2, b)) for name, v in zip("xy", p)}  # noqa: B905
    return element("line", class_=kind, **ends)


def _atom(at: NDArray[Any], radius: float, z: int) -> Html:
    red, green, blue = (round(255 * float(one)) for one in jmol_colors[z])
    return Html(
        f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{max(radius, 2.0):.1f}" '
        f'fill="#{red:02x}{green:02x}{blue:02x}" stroke="#0007" stroke-width="0.8">'
        f"<title>{chemical_symbols[z]}</title></circle>"
    )
