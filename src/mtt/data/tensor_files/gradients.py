"""Derivatives that blocks of a file carry: by positions, and by a strain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings
from mtt.data.frames import Float
from mtt.data.info import POSITIONS, TargetInfo
from mtt.data.target_block import Axis
from mtt.data.tensor_files.read import Rows, in_order
from mtt.errors import Problem

_AXES = {"positions": ("xyz",), "strain": ("xyz_1", "xyz_2")}


def gradients_of(
    name: str,
    rows: Sequence[Rows],
    info: TargetInfo,
    systems: Sequence[RawFrame],
    place: Mapping[int, int],
    where: str,
    findings: Findings,
) -> list[Float] | None:
    """[n_atoms, 3, ...] or [3, 3, ...] of every structure; None where the blocks have none.

    With the signs of :class:`mtt.graph.Target`: forces are minus the gradient of an energy.

    :param name: ``"positions"`` or ``"strain"``.
    :raises DataError: components or properties are other ones.
    """
    if len(rows) != 1 or name not in rows[0].source.gradients_list():
        return None
    block, samples = rows[0].block, rows[0].samples
    gradient = rows[0].source.gradient(name)
    axes = (3,) * len(_AXES[name])
    columns = ["sample", "atom"] if name == POSITIONS else ["sample"]
    shape = (*axes, *(info.shape if not info.is_number else (1,)))
    if tuple(gradient.values.shape[1:]) != shape or any(
        one not in gradient.samples.names for one in columns
    ):
        what = f"the gradient {name!r} has the shape {list(gradient.values.shape[1:])}"
        hint = f"{list(shape)} is expected, with samples {', '.join(columns)}"
        findings.add_problems([Problem(what, where, hint)])
        return None
    own = [Axis(axis, (0, 1, 2)) for axis in _AXES[name]]
    values = in_order(gradient, [*own, *block.axes], block, info, f"{where}, gradient {name!r}")
    sign = -1.0 if name == POSITIONS and info.is_number else 1.0
    tail = (*axes, *info.gradient_shape)
    values = sign * values.reshape(len(values), *tail)
    sizes = [len(one.numbers) if name == POSITIONS else 1 for one in systems]
    found = [np.full((n, *tail), np.nan) for n in sizes]
    owners = samples[gradient.samples.column("sample").numpy(), 0]
    atoms = gradient.samples.column("atom").numpy() if name == POSITIONS else np.zeros(len(owners))
    for row, (owner, atom) in enumerate(zip(owners, atoms.astype(np.int64), strict=True)):
        i = place.get(int(owner))
        if i is None:
            continue
        if not 0 <= atom < sizes[i]:
            detail = f" {atom}, of {sizes[i]} atoms"
            findings.add(systems[i], "a gradient in the .mts file names an atom", detail)
        else:
            found[i][atom] = values[row]
    return found if name == POSITIONS else [one[0] for one in found]
