"""Everything that an architecture promises, in the order in which mistakes are best corrected."""

from __future__ import annotations

from mtt.testing.check import Check
from mtt.testing.checks import (
    checkpoints,
    components,
    cost,
    derivatives,
    description,
    engine,
    features,
    finetuning,
    inputs,
    locality,
    scripting,
    smoothness,
    symmetry,
    tensors,
    upgrades,
)

CHECKS: tuple[Check, ...] = (
    Check(
        "the default options are valid and build",
        description.check_defaults,
        meaning="Options that only name the architecture cause an error.",
        look="default-hypers.yaml and schema-hypers.json must agree, and the constructors must "
        "read no other keys.",
    ),
    Check(
        "the schema describes every option",
        description.check_schema_file,
        meaning="A mistyped option is ignored silently, or is missing on its page.",
        look='schema-hypers.json: "additionalProperties": false, and a "description" of every key.',
    ),
    Check(
        "targets that cannot be learnt are refused",
        description.check_targets,
        meaning="A training on a target that the model cannot predict starts, and ends with "
        "a traceback or a useless model.",
        look="__supported_targets__ of an MLIPModel; otherwise check dataset_info.targets in the "
        "constructor, and raise ArchitectureError.",
    ),
    Check(
        "the same seed makes the same weights",
        description.check_seed,
        meaning="A training cannot be reproduced.",
        look="Random numbers from numpy or random; a seed that the model sets itself; a loop over "
        "a set. Draw only from torch, in a fixed order.",
    ),
    Check(
        "repr tells what decides predictions",
        description.check_repr,
        meaning="Two models with the same repr give different predictions.",
        look="extra_repr() of the module that uses the option.",
    ),
    Check(
        "predictions are finite and follow the geometry",
        symmetry.check_finite,
        meaning="Training ends at once with NaN, or learns only mean values.",
        look="Divisions, roots and logarithms of values that can be zero; Graph.vectors not used.",
    ),
    Check(
        "an isolated atom has its energy and no force",
        locality.check_isolated,
        meaning="Dissociation and atomisation energies are wrong, and gases give NaN.",
        look="A mean over no neighbours is 0/0: sum instead. Early returns if there are no "
        "pairs; sizes taken from centers.max() instead of the types.",
    ),
    Check(
        "a rotation turns forces and keeps energies",
        symmetry.check_rotation,
        meaning="Energies depend on the orientation of a molecule; molecular dynamics does not "
        "conserve angular momentum, and training needs rotated copies of the data.",
        look="Single components of vectors in the energy: use lengths, scalar products, norms. "
        "Normalisations and nonlinear functions of single components.",
    ),
    Check(
        "an inversion turns forces and keeps energies",
        symmetry.check_inversion,
        meaning="The two mirror images of a molecule have different energies.",
        look="Cross and triple products, products of tensors that mix parities.",
    ),
    Check(
        "a translation changes nothing",
        symmetry.check_translation,
        meaning="Energies depend on the position of a structure; forces do not sum to zero, and "
        "the centre of mass drifts.",
        look="Graph.positions: use the vectors, which are relative and include the cell.",
    ),
    Check(
        "the order of the atoms changes nothing",
        symmetry.check_permutation,
        meaning="The same molecule from two files has two energies.",
        look="Anything that depends on the index of an atom, or on the first or last neighbour; "
        "sorting by values that can be equal; a limit on the number of neighbours.",
    ),
    Check(
        "vectors and tensors turn with the structure",
        components.check_turning,
        meaning="A dipole depends on how the molecule is oriented, and its spectrum is wrong.",
        look="Components in another order (l = 1 is y, z, x), a pseudotensor (o3_sigma: -1) made "
        "of a single density, scalars added to components, a bias in a layer on them.",
    ),
    Check(
        "vectors and tensors follow their atoms",
        components.check_following,
        meaning="Tensors depend on the order of the atoms, the origin, or the batch.",
        look="Graph.positions in place of the vectors; sums over a structure inside of predict.",
    ),
    Check(
        "exported vectors and tensors have their components",
        components.check_components,
        meaning="Codes that read the file by metatensor's labels take xy for yx, or m for -m.",
        look="predict returns [n_atoms, *target.shape], components in the order of the kind: "
        "target.of_kind has its blocks, and from_irreducible() for those made of (l, σ).",
    ),
    Check(
        "features are those of atoms",
        features.check_features,
        meaning="Uncertainties and maps of structures depend on orientation, order, or size.",
        look="atomic_features(): invariant numbers, one row per atom in the order of graph.types.",
    ),
    Check(
        "two far copies have twice the energy",
        locality.check_extensive,
        meaning="A model trained on small structures is wrong for large ones.",
        look="A mean over the structure, a count of its atoms, attention or normalisation over "
        "all atoms: an energy is a sum over atoms and their environments.",
    ),
    Check(
        "a supercell has a multiple of the energy",
        locality.check_supercell,
        meaning="The energy of a crystal depends on the cell that describes it.",
        look="An atom may be its own neighbour, and a pair of atoms may occur with several "
        "images: identify pairs by their vectors, and leave none out.",
    ),
    Check(
        "a batch predicts what single structures do",
        locality.check_batches,
        meaning="Predictions depend on the batch size, and evaluation differs from training.",
        look="Normalisation over the batch, sums without Graph.system, anything that depends on "
        "n_systems or on the largest structure.",
    ),
    Check(
        "energies and forces are continuous at the cutoff",
        smoothness.check_continuous,
        meaning="Molecular dynamics does not conserve energy, and relaxations do not converge.",
        look="Multiply every contribution of a neighbour, messages and attention weights too, by "
        "a function that vanishes with its slope at the cutoff. clamp and where in the radial "
        "part.",
    ),
    Check(
        "second derivatives are continuous at the cutoff",
        smoothness.check_curvature,
        meaning="Phonons and elastic constants jump, and large time steps lose energy.",
        look="The second derivative of the cutoff function must vanish at the cutoff too: that of "
        "a cosine does not, that of its square does; relu and other kinks in the network.",
    ),
    Check(
        "forces are derivatives of the energy",
        derivatives.check_forces,
        meaning="Molecular dynamics does not conserve energy, and force labels contradict "
        "energy labels in training.",
        look="detach(), no_grad or item() between the vectors and the energy; rounding and "
        "casts to float32 on the way; backwards written by hand.",
    ),
    Check(
        "stress is a derivative of the energy",
        derivatives.check_strain,
        meaning="Pressures, cell relaxations and elastic constants are wrong.",
        look="As for forces; also Graph.cells or positions that enter in addition to the vectors.",
    ),
    Check(
        "a loss on forces trains the weights",
        derivatives.check_double_backward,
        meaning="Training on forces does not lower their errors.",
        look="Operations without a second derivative, norms of zero vectors, forces under no_grad.",
    ),
    Check(
        "float32 agrees with float64",
        scripting.check_single_precision,
        meaning="Training in single precision, the default, gives noise or an error.",
        look="Tensors with a hard-coded dtype, or in torch's default one: make them from the "
        "inputs (new_zeros, dtype=x.dtype). Differences of large numbers, high powers.",
    ),
    Check(
        "memory grows with the number of atoms",
        cost.check_memory,
        meaning="Large structures need far more memory than necessary.",
        look="Tables of atoms by atoms: torch.cdist, masks of [n, n], one_hot of atom numbers, "
        "outer differences of positions. Work on pairs (Graph.centers, Graph.neighbors).",
    ),
    Check(
        "a larger batch takes no more operations",
        cost.check_operations,
        meaning="Training gains nothing from batches, and a GPU waits for Python.",
        look="Python loops over structures, atoms or neighbours: use index_add with Graph.system "
        "and Graph.centers, which is one operation for all.",
    ),
    Check(
        "the exported model predicts the same",
        scripting.check_export,
        meaning="Simulations use a different model from the one that was trained.",
        look="TorchScript reads types and branches once: annotate everything except Tensors, no "
        "comprehensions over modules, no super(); attributes set in __init__ must be plain types.",
    ),
    Check(
        "the exported model runs in engines",
        engine.check_calculator,
        meaning="ASE, LAMMPS and i-PI refuse the file, or get wrong numbers from it.",
        look="Capabilities (outputs, units, elements, dtype), the requested neighbour "
        "lists, samples and names of the TensorMaps that forward returns.",
    ),
    *inputs.CHECKS,
    Check(
        "engines may ask for some of the atoms",
        engine.check_selected,
        meaning="LAMMPS on several processes counts atoms twice.",
        look="selected_atoms of forward(): only these may be summed, all others are neighbours.",
    ),
    Check(
        "no atom feels beyond the declared range",
        engine.check_range,
        meaning="LAMMPS on several processes uses too thin a layer of ghost atoms: wrong forces "
        "at the boundaries.",
        look="interaction_range(): every layer of messages adds a cutoff.",
    ),
    Check(
        "all tensors move with the model",
        tensors.check_tensors,
        meaning="On a GPU the first step ends with an error, and casts to another precision "
        "miss them.",
        look="Attributes that are plain tensors: use register_buffer, with persistent=False if "
        "they follow from the hypers.",
    ),
    Check(
        "the model's checkpoint brings it back",
        checkpoints.check_plain_checkpoint,
        meaning="A finished training is lost, or loads as another model.",
        look="What decides predictions must be a parameter, a persistent buffer, or in the "
        "hypers: not an attribute, not a plain tensor, not persistent=False if it is random.",
    ),
    Check(
        "the trainer's checkpoint loads in every context",
        checkpoints.check_contexts,
        meaning="A training cannot be resumed, fine-tuned or exported.",
        look="load_checkpoint: build, cast to the stored dtype, load_state_dict; the latest "
        "weights to restart, otherwise the best ones.",
    ),
    Check(
        "checkpoints of earlier versions are upgraded",
        upgrades.check_upgrades,
        meaning="Models that users have trained with an earlier version are lost.",
        look="upgrade.py in the folder: model_1_to_2, trainer_1_to_2, ... one for each version; "
        "a stored checkpoint of each in checkpoints/.",
    ),
    Check(
        "a restart goes on with the same model",
        checkpoints.check_restart,
        meaning="After an interruption part of the training is repeated.",
        look="restart(): do not build or draw anything again for known data.",
    ),
    Check(
        "a restart refuses unknown elements and targets",
        checkpoints.check_restart_refuses,
        meaning="The training continues with half of the data, or fails in the middle of an epoch.",
        look="restart(): compare dataset_info with the model's own, and raise ArchitectureError.",
    ),
    Check(
        "fine-tuning begins where its source ended",
        finetuning.check_carried_over,
        meaning="Fine-tuning loses what the source has learned.",
        look="What decides predictions must be a parameter, a persistent buffer, or in the hypers.",
    ),
    Check(
        "heads serve one target each",
        finetuning.check_heads,
        meaning="Fine-tuning a head, or adding one, changes the other targets.",
        look="head_modules(): for every target the modules that serve it alone.",
    ),
    Check(
        "new elements leave the known ones alone",
        finetuning.check_elements,
        meaning="Adding an element changes the predictions for the others before the first step.",
        look="extend_elements(): new weights must have no effect on structures without new "
        "elements; remember_elements(): anything that depends on the previously known elements.",
    ),
    Check(
        "low-rank corrections begin as none and merge",
        finetuning.check_adapters,
        meaning="Fine-tuning with low-rank corrections starts or ends with another model.",
        look="Weights that are read once and stored, or read without calling their layer: call "
        "the layer.",
    ),
)

NAMES: tuple[str, ...] = tuple(check.name for check in CHECKS)
