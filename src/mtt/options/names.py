"""Names of targets, and the elements."""

from __future__ import annotations

import re

from mtt.errors import did_you_mean

SCALARS = frozenset({"energy", "energy_ensemble", "energy_uncertainty", "charge", "mass"}) | {
    "spin_multiplicity",
    "feature",
}
"""Quantities of metatomic that are scalars."""

TENSORS = {
    "heat_flux": ("system", 1),
    "momentum": ("atom", 1),
    "position": ("atom", 1),
    "velocity": ("atom", 1),
    "non_conservative_force": ("atom", 1),
    "non_conservative_stress": ("system", 2),
}
"""Quantities of metatomic that are Cartesian tensors: of what, and their rank."""

INTENSIVE = frozenset({"non_conservative_stress"})
"""Tensors that are means over atoms, where the options do not say so: no sums."""

PLURALS = {
    "positions": "position",
    "momenta": "momentum",
    "masses": "mass",
    "velocities": "velocity",
    "charges": "charge",
    "features": "feature",
    "non_conservative_forces": "non_conservative_force",
}
"""Deprecated names of quantities."""

_OWN_NAME = re.compile(r"[^:/\s]+::[^:/\s]+(?:::[^:/\s]+)*(?:/[^/\s]+)?\Z")
_GRADIENTS = {
    "force": "non_conservative_force",
    "forces": "non_conservative_force",
    "stress": "non_conservative_stress",
    "virial": "non_conservative_stress",
}


def target_fault(name: str) -> tuple[str, str] | None:
    """Message and hint for a wrong name of a target; None for a valid name.

    Right are a quantity of metatomic (``energy``), its variants (``energy/pbe``), and names of
    one's own with a domain (``mtt::gap``).
    """
    quantity, slash, variant = name.partition("/")
    if "::" in name:
        if _OWN_NAME.match(name):
            return None
        return "not a name of a target", "write <domain>::<name> or <domain>::<name>/<variant>"
    if (quantity in SCALARS or quantity in TENSORS) and bool(slash) == bool(variant):
        return None
    if quantity in _GRADIENTS:
        return (
            "not a name of a target",
            f"forces, stress and virial are sections of an energy target; predicted directly, "
            f"they are called {_GRADIENTS[quantity]}",
        )
    close = did_you_mean(name, [*SCALARS, *TENSORS])
    return "not a quantity of metatomic", f"{close + ' or ' if close else ''}call it mtt::{name}"


_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm "
    "Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
).split()
ATOMIC_NUMBERS = {symbol: number for number, symbol in enumerate(_SYMBOLS, start=1)}
"""Symbol of an element to its atomic number."""
