"""ASE calculators of trained models; runs in the environment of the program that trained."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from ase.calculators.calculator import Calculator


def metatomic(path: str) -> Calculator:
    """An exported metatomic model, of mtt or of metatrain."""
    if importlib.util.find_spec("sphericart") is not None:
        # without it, metatrain's soap_bpnn has wrong forces in a new process, and no error
        importlib.import_module("sphericart.torch")
    from metatomic_ase import MetatomicCalculator

    return MetatomicCalculator(path, device="cpu")


def metatomic_alone(path: str) -> Calculator:
    """The same where importing e3nn or sevenn is an error: a file that needs neither."""
    sys.modules["e3nn"] = sys.modules["sevenn"] = None  # type: ignore[assignment]
    return metatomic(path)


def nequip(path: str) -> Calculator:
    """A checkpoint, evaluated eagerly, or what ``nequip-compile`` has made of it."""
    from nequip.integrations.ase import NequIPCalculator

    compiled = path.endswith(".pt2")
    load = NequIPCalculator.from_compiled_model if compiled else NequIPCalculator._from_saved_model
    return load(path, device="cpu", chemical_species_to_atom_type_map=True)


def mace(path: str, dtype: str = "float32") -> Calculator:
    """A saved model, in the precision it was trained in, or in another."""
    from mace.calculators import MACECalculator

    return MACECalculator(model_paths=path, device="cpu", default_dtype=dtype)


def mace_float64(path: str) -> Calculator:
    """A saved model, evaluated in float64."""
    return mace(path, "float64")


def emt(path: str) -> Calculator:
    """A reference of the benchmarks; there is no file."""
    from ase.calculators.emt import EMT

    return EMT()


def tersoff(path: str) -> Calculator:
    """A reference of the benchmarks; there is no file."""
    from tersoff import silicon

    return silicon()


def gfn2(path: str) -> Calculator:
    """A reference of the benchmarks, GFN2-xTB; there is no file."""
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", verbosity=0, accuracy=0.01)


KINDS = {
    "metatomic": metatomic, "metatomic_alone": metatomic_alone, "nequip": nequip,
    "mace": mace, "mace_float64": mace_float64, "emt": emt, "tersoff": tersoff, "gfn2": gfn2,
}  # fmt: skip


def n_parameters(calculator: Any) -> int | None:
    """Number of parameters of the network; None: the file does not tell."""
    models = getattr(calculator, "models", None)
    model = models[0] if models else getattr(calculator, "_model", None)
    model = getattr(calculator, "model", None) if model is None else model
    count = sum(p.numel() for p in model.parameters()) if hasattr(model, "parameters") else 0
    return count or None
