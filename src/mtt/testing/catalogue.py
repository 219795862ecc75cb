"""Everything that an architecture promises, in the order in which mistakes are best mended."""

from __future__ import annotations

from mtt.testing import (
    checkpoints,
    derivatives,
    description,
    finetuning,
    locality,
    scripting,
    smoothness,
    symmetry,
)
from mtt.testing.check import Check

CHECKS: tuple[Check, ...] = (
    Check("the default options are valid and build", description.check_defaults),
    Check("the schema describes every option", description.check_schema_file),
    Check("targets that cannot be learnt are refused", description.check_targets),
    Check("the same seed makes the same weights", description.check_seed),
    Check("repr tells what decides predictions", description.check_repr),
    Check("predictions are finite and follow the geometry", symmetry.check_finite),
    Check("an isolated atom has its energy and no force", locality.check_isolated),
    Check("a rotation turns forces and keeps energies", symmetry.check_rotation),
    Check("an inversion turns forces and keeps energies", symmetry.check_inversion),
    Check("a translation changes nothing", symmetry.check_translation),
    Check("the order of the atoms changes nothing", symmetry.check_permutation),
    Check("two far copies have twice the energy", locality.check_extensive),
    Check("a supercell has a multiple of the energy", locality.check_supercell),
    Check("a batch predicts what single structures do", locality.check_batches),
    Check("energies and forces are continuous at the cutoff", smoothness.check_continuous),
    Check("second derivatives are continuous at the cutoff", smoothness.check_curvature),
    Check("forces are derivatives of the energy", derivatives.check_forces),
    Check("stress is a derivative of the energy", derivatives.check_strain),
    Check("a loss on forces trains the weights", derivatives.check_double_backward),
    Check("float32 agrees with float64", scripting.check_single_precision),
    Check("the exported model predicts the same", scripting.check_export),
    Check("the model's checkpoint brings it back", checkpoints.check_plain_checkpoint),
    Check("the trainer's checkpoint loads in every context", checkpoints.check_contexts),
    Check("a restart goes on with the same model", checkpoints.check_restart),
    Check("a restart refuses unknown elements and targets", checkpoints.check_restart_refuses),
    Check("fine-tuning begins where its source ended", finetuning.check_carried_over),
    Check("heads serve one target each", finetuning.check_heads),
    Check("new elements leave the known ones alone", finetuning.check_elements),
    Check("low-rank corrections begin as none and merge", finetuning.check_adapters),
)

NAMES: tuple[str, ...] = tuple(check.name for check in CHECKS)
