"""The exported file as simulation engines use it, through nothing but metatomic."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import ase
import numpy as np
import torch
from metatensor.torch import Labels
from metatomic.torch import (
    AtomisticModel,
    ModelEvaluationOptions,
    ModelOutput,
    load_atomistic_model,
    unit_conversion_factor,
)
from metatomic_ase import MetatomicCalculator  # type: ignore[import-untyped]
from torch import Tensor

from mtt.exporting import probe
from mtt.exporting.structures import structure
from mtt.testing import systems
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import Measured, compared
from mtt.testing.subject import Subject

EXACT = 1e-10
ENERGY = "energy"
BOX = np.diag([100.0, 100.0, 100.0])


def check_calculator(subject: Subject) -> Iterator[Measured]:
    """ASE's calculator, which builds its own neighbour lists, gives the model's numbers.

    With metatomic's checks of everything that goes in and comes out; in eV and angstrom.
    """
    if ENERGY not in subject.energies:
        raise DoesNotApply(f"no target is called {ENERGY!r}, which is what engines ask for")
    to_ev = _factor(subject.info.targets[ENERGY].unit, "eV")
    to_angstrom = _factor(subject.info.length_unit, "angstrom")
    structures = [*systems.ordinary(subject.elements), systems.atom(subject.elements[0])]
    with _exported(subject) as path:
        calculator = MetatomicCalculator(path, device="cpu", check_consistency=True)
        for one, found in zip(structures, subject.predict(structures), strict=True):
            engine = one.copy()
            engine.set_cell(one.cell * to_angstrom, scale_atoms=False)
            engine.positions = one.positions * to_angstrom
            if engine.cell.rank < 3:
                engine.cell = BOX  # without periods it means nothing, but ASE divides by its volume
            engine.calc = calculator
            energy = torch.tensor([[engine.get_potential_energy()]])
            yield compared("energy through ASE, and the model's", energy.double(),
                           found[ENERGY].values * to_ev, EXACT, unit="eV")  # fmt: skip
            wanted, strain = found[ENERGY].forces, found[ENERGY].strain
            assert wanted is not None, "energies come with forces"
            assert strain is not None, "energies come with a strain derivative"
            yield compared("forces through ASE, and the model's",
                           torch.tensor(engine.get_forces()), wanted * to_ev / to_angstrom, EXACT,
                           unit="eV/angstrom")  # fmt: skip
            if one.pbc.all():
                virial = torch.tensor(engine.get_stress(voigt=False) * engine.get_volume())
                yield compared("stress times volume through ASE, and the model's", virial,
                               strain * to_ev, EXACT)  # fmt: skip


def check_selected(subject: Subject) -> Iterator[Measured]:
    """What two halves of the atoms contribute is together what all of them do."""
    one = systems.cluster(subject.elements)
    with _exported(subject) as path:
        model = load_atomistic_model(str(path))
        whole = _energies(model, subject.energies, one, None)
        halves = [_energies(model, subject.energies, one, range(k, len(one), 2)) for k in (0, 1)]
    for name in subject.energies:
        yield compared(f"{name} of both halves of the atoms, and of all",
                       halves[0][name] + halves[1][name], whole[name], EXACT,
                       unit=subject.info.targets[name].unit)  # fmt: skip


def check_range(subject: Subject) -> None:
    """No atom feels others beyond the interaction range that the exported file declares."""
    model = subject.graph_model()
    if model is None:
        raise DoesNotApply("only models built on MLIPModel have energies of single atoms")
    with _exported(subject) as path:
        reach = load_atomistic_model(str(path)).capabilities().interaction_range
    if not math.isfinite(reach):
        raise DoesNotApply("the model declares that its range is infinite")
    spacing = 0.4 * min(subject.cutoffs())
    chain = systems.chain(subject.elements, 3 + math.ceil(4 * reach / spacing) // 2, spacing)
    lists = model.requested_neighbor_lists()
    content = structure(chain, lists)
    positions = content["positions"].clone().requires_grad_(True)
    system = probe.system(content, positions, torch.eye(3, dtype=positions.dtype), lists)
    outputs = {name: ModelOutput(sample_kind="atom") for name in model.target_names}
    far = torch.tensor(chain.get_distances(0, range(len(chain)))) > reach
    for name, found in model([system], outputs).items():
        block = found.block()
        if "atom" not in block.samples.names:  # another check finds that it ignores the request
            continue
        (slope,) = torch.autograd.grad(block.values[0].sum(), positions, retain_graph=True)
        felt = slope.abs().amax(dim=1) > 0
        if bool((felt & far).any()):
            distance = float(chain.get_distance(0, int((felt & far).nonzero()[-1])))
            raise CheckFailed(
                f"{name} of an atom feels one at {distance:.1f}, the declared range is {reach:.1f}"
            )


@contextmanager
def _exported(subject: Subject) -> Iterator[Path]:
    """The file that users get, as long as it is needed."""
    try:
        content = subject.exported()
    except Exception as error:  # code of an architecture can raise anything
        raise DoesNotApply("the model cannot be exported, as another check reports") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        path.write_bytes(content)
        yield path


def _energies(
    model: AtomisticModel, names: Sequence[str], one: ase.Atoms, atoms: range | None
) -> dict[str, Tensor]:
    """Totals [1, 1] of the energies, over ``atoms`` or all."""
    capabilities, lists = model.capabilities(), model.requested_neighbor_lists()
    dtype = getattr(torch, capabilities.dtype)
    content = structure(one, lists)
    system = probe.system(content, content["positions"].to(dtype), torch.eye(3, dtype=dtype), lists)
    selected = None
    if atoms is not None:
        rows = np.array([[0, i] for i in atoms], dtype=np.int32)
        selected = Labels(["system", "atom"], torch.from_numpy(rows))
    outputs = {
        name: ModelOutput(unit=capabilities.outputs[name].unit, sample_kind="system")
        for name in names
    }
    options = ModelEvaluationOptions(
        length_unit=capabilities.length_unit, outputs=outputs, selected_atoms=selected
    )
    found = model([system], options, check_consistency=True)
    return {name: found[name].block().values.detach().double() for name in outputs}


def _factor(unit: str, wanted: str) -> float:
    """Factor from ``unit`` to ``wanted``; metatomic takes values without a unit as they are."""
    return float(unit_conversion_factor(unit, wanted)) if unit else 1.0
