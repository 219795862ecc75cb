"""Options of values of pairs of atoms that contradict each other."""

from __future__ import annotations

import json

from mtt.options.aggregation import AUTO
from mtt.options.tensor_files import is_tensor_file
from mtt.options.values import TargetOptions
from mtt.options.yaml.places import Fault, KeyPath


def pair_faults(path: KeyPath, target: TargetOptions) -> list[Fault]:
    """Find what values of pairs cannot be, and what only they can be."""
    if target.sample_kind != "atom_pair":
        hint = "leave it out, or write sample_kind: atom_pair"
        what = "exchange is for values of pairs only"
        return [Fault((*path, "exchange"), what, hint)] if target.exchange else []
    faults = []
    if not is_tensor_file(target.read_from):
        what = "values of pairs are read from metatensor's .mts files"
        hint = "write read_from: values.mts, with samples system, first_atom, second_atom, "
        hint += "cell_shift_a, cell_shift_b, cell_shift_c"
        faults.append(Fault((*path, "read_from"), what, hint))
    if target.quantity == "energy":
        what = "energies are values of structures or atoms, not of pairs"
        faults.append(Fault((*path, "quantity"), what, "leave it out"))
    if target.readout_rank not in (AUTO, "full"):
        faults.append(Fault((*path, "readout_rank"), "is not for values of pairs", "leave it out"))
    if target.kind.startswith("spherical "):
        parameters = json.loads(target.kind.partition(" ")[2])
        if isinstance(parameters.get("irreps"), dict) and not parameters.get("product"):
            what = "for pairs, irreps of each element need a product"
            hint = "write product: coupled, or cartesian"
            faults.append(Fault((*path, "type"), what, hint))
    return faults
