"""Evaluates an exported model in a process that knows nothing but metatomic.

Run by path, ``python -I probe.py model.pt structures.pt results.pt``: what an engine sees of
the file is then what is measured, whatever the exporting process happened to have loaded.
This file imports torch and metatomic only.
"""

import sys
from collections.abc import Callable, Sequence

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelEvaluationOptions,
    ModelOutput,
    NeighborListOptions,
    System,
    load_atomistic_model,
    register_autograd_neighbors,
)
from torch import Tensor

Structure = dict[str, Tensor]
"""``types``, ``positions``, ``cell``, ``pbc``; per list i, ``samples.i`` and ``vectors.i``; per
further input of the model, ``input.<name>``, one number for the structure, or
``atom_input.<name>``, one for each atom."""

INPUT, ATOM_INPUT = "input.", "atom_input."

Results = dict[str, Tensor]
"""``values`` of every output; ``forces`` and ``strain`` of energies; of other targets that are
differentiated, ``gradient`` [3 n_atoms, k] and ``strain`` [9 n, k] of each of their k numbers, in
the order of the blocks. All as ``<output>.<part>``."""


def evaluate(
    call: Callable[[list[System], dict[str, ModelOutput]], dict[str, TensorMap]],
    structures: list[Structure],
    lists: list[NeighborListOptions],
    outputs: dict[str, ModelOutput],
    energies: list[str],
    dtype: torch.dtype,
    differentiated: Sequence[str] = (),
) -> Results:
    """All ``outputs`` of all structures in one batch; derivatives of the ``energies``.

    :param differentiated: other outputs of structures whose derivatives are wanted too.
    :return: float64 on the CPU; strain is the derivative by a symmetric strain [n, 3, 3].
    """
    positions: list[Tensor] = []
    strains: list[Tensor] = []
    systems: list[System] = []
    for structure in structures:
        position = structure["positions"].to(dtype).requires_grad_(True)
        strain = torch.eye(3, dtype=dtype).requires_grad_(True)
        systems.append(system(structure, position @ strain, strain, lists))
        positions.append(position)
        strains.append(strain)
    results: Results = {}
    for name, tensor in call(systems, outputs).items():
        values = torch.cat([block.values.reshape(-1) for block in tensor.blocks()])
        results[f"{name}.values"] = values.detach().double()
        if name in energies:
            forces, strain_gradients = _gradients(values.sum(), positions, strains)
            results[f"{name}.forces"] = forces.double()
            results[f"{name}.strain"] = strain_gradients.double()
        if name in differentiated:
            numbers = [n for block in tensor.blocks() for n in block.values.flatten(1).unbind(1)]
            slopes = [_gradients(number.sum(), positions, strains) for number in numbers]
            by_positions = torch.stack([-forces.flatten() for forces, _ in slopes], dim=1)
            results[f"{name}.gradient"] = by_positions.double()
            by_strain = torch.stack([strain.flatten() for _, strain in slopes], dim=1)
            results[f"{name}.strain"] = by_strain.double()
    return results


def system(
    structure: Structure, positions: Tensor, strain: Tensor, lists: list[NeighborListOptions]
) -> System:
    """A system that knows how its pair vectors follow from ``positions`` and ``strain``."""
    cell = structure["cell"].to(strain.dtype) @ strain
    result = System(structure["types"], positions, cell, structure["pbc"])
    for i, options in enumerate(lists):
        block = TensorBlock(
            values=structure[f"vectors.{i}"].to(strain.dtype)[:, :, None],
            samples=Labels(
                ["first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"],
                structure[f"samples.{i}"],
            ),
            components=[Labels(["xyz"], torch.arange(3, dtype=torch.int32)[:, None])],
            properties=Labels(["distance"], torch.zeros(1, 1, dtype=torch.int32)),
        )
        register_autograd_neighbors(result, block, False)
        result.add_neighbor_list(options, block)
    for key in structure:
        for prefix in (INPUT, ATOM_INPUT):
            if key.startswith(prefix):
                name, values = key.removeprefix(prefix), structure[key].to(strain.dtype)
                result.add_data(name, _map(name, values, prefix == ATOM_INPUT))
    return result


def _map(name: str, values: Tensor, per_atom: bool) -> TensorMap:
    """An input as engines give it: metatomic's standard ones are called by their name."""
    zero = torch.zeros(1, 1, dtype=torch.int32)
    samples = Labels(["system"], zero)
    if per_atom:
        atoms = torch.arange(len(values), dtype=torch.int32)
        samples = Labels(["system", "atom"], torch.stack([torch.zeros_like(atoms), atoms], dim=1))
    called = "_" if "::" in name else name
    block = TensorBlock(values.reshape(-1, 1), samples, [], Labels([called], zero))
    return TensorMap(Labels(["_"], zero), [block])


def _gradients(
    energy: Tensor, positions: list[Tensor], strains: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Forces of all atoms, and symmetric strain derivatives of all structures."""
    leaves = positions + strains
    gradients: list[Tensor | None] = [None] * len(leaves)
    if energy.requires_grad:
        gradients = list(torch.autograd.grad(energy, leaves, retain_graph=True, allow_unused=True))
    filled = [
        torch.zeros_like(x) if g is None else g for g, x in zip(gradients, leaves, strict=True)
    ]
    strain = torch.stack(filled[len(positions) :])
    return -torch.cat(filled[: len(positions)]), (strain + strain.transpose(1, 2)) / 2


def wanted(declared: dict[str, ModelOutput], energies: list[str]) -> dict[str, ModelOutput]:
    """What to ask for: energies of structures, and all else as it is declared."""
    return {
        name: ModelOutput(
            unit=output.unit,
            sample_kind="system" if name in energies else output.sample_kind,
        )
        for name, output in declared.items()
    }


def asked(
    model: AtomisticModel, systems: list[System], outputs: dict[str, ModelOutput], unit: str
) -> dict[str, TensorMap]:
    """``outputs`` of an exported model, with metatomic's checks.

    Those of metatomic-torch 0.1.19 refuse every request for values of pairs, also of models that
    declare them: these are asked for without.
    """
    found: dict[str, TensorMap] = {}
    for of_pairs in (False, True):
        some = {k: v for k, v in outputs.items() if (v.sample_kind == "atom_pair") == of_pairs}
        if some:
            options = ModelEvaluationOptions(length_unit=unit, outputs=some)
            found.update(model(systems, options, check_consistency=not of_pairs))
    return {name: found[name] for name in outputs}


def main(model_file: str, structures_file: str, results_file: str) -> None:
    """Evaluate the model at ``model_file``; the other two are files of tensors."""
    request = torch.load(structures_file, weights_only=True)
    model = load_atomistic_model(model_file)
    capabilities = model.capabilities()
    outputs = wanted(
        {name: capabilities.outputs[name] for name in request["outputs"]}, request["energies"]
    )

    def call(systems: list[System], _: dict[str, ModelOutput]) -> dict[str, TensorMap]:
        return asked(model, systems, outputs, capabilities.length_unit)

    results = evaluate(
        call,
        request["structures"],
        model.requested_neighbor_lists(),
        outputs,
        request["energies"],
        getattr(torch, capabilities.dtype),
        request["differentiated"],
    )
    torch.save(results, results_file)


if __name__ == "__main__":
    main(*sys.argv[1:])
