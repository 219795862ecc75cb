"""Options of metatrain's PET, of all its versions, as options of this one."""

from typing import Any, Dict, Mapping

from mtt.errors import CheckpointError

VERSIONS = range(1, 17)
"""Of checkpoints of metatrain's PET that are known."""

_KEYS = (
    "cutoff", "num_neighbors_adaptive", "adaptive_cutoff_method", "cutoff_function",
    "cutoff_width", "cutoff_width_adaptive", "d_pet", "d_head", "d_node", "d_feedforward",
    "num_heads", "num_attention_layers", "num_gnn_layers", "normalization", "activation",
    "attention_temperature", "transformer_type", "featurizer_type", "zbl", "long_range",
    "system_conditioning", "max_charge", "max_spin_multiplicity",
)  # fmt: skip

# what was not an option yet, by the version that made it one
_BEFORE: Dict[int, Dict[str, Any]] = {
    8: {
        "normalization": "LayerNorm",
        "activation": "SiLU",
        "transformer_type": "PostLN",
        "featurizer_type": "residual",
    },
    10: {"num_neighbors_adaptive": None, "cutoff_function": "Cosine"},
    11: {"attention_temperature": 1.0},
    12: {"adaptive_cutoff_method": "grid"},
    15: {"system_conditioning": False, "max_charge": 10, "max_spin_multiplicity": 10},
}


def hypers_of(stored: Mapping[str, Any], version: int, state: Mapping[str, Any]) -> Dict[str, Any]:
    """All options of the model.

    :param stored: ``model_hypers`` of a checkpoint of ``version``.
    :param state: its weights: the large models from before version 8 are recognised by them.
    :raises CheckpointError: it has long-range interactions, or lacks an option.
    """
    hypers = dict(stored)
    if version < 8 and "node_embedding.weight" in state:
        hypers |= {"normalization": "RMSNorm", "activation": "SwiGLU", "transformer_type": "PreLN"}
        hypers |= {"featurizer_type": "feedforward", "d_node": 4 * hypers["d_pet"]}
        hypers |= {"d_feedforward": 2 * hypers["d_pet"]}
    for since, values in _BEFORE.items():
        if version < since:
            hypers = {**values, **hypers}
    hypers.setdefault("d_node", hypers["d_pet"])
    hypers.setdefault("cutoff_width_adaptive", hypers["cutoff_width"])
    if hypers["long_range"]["enable"]:
        raise CheckpointError(
            "has long-range interactions (long_range.enable), which are not available yet: "
            "without them its energies would be others"
        )
    missing = [key for key in _KEYS if key not in hypers]
    if missing:
        raise CheckpointError(f"lacks the options {', '.join(missing)} of the model")
    # files written by hand spell them in any case
    known = {"bump": "Bump", "cosine": "Cosine"}
    function = str(hypers["cutoff_function"])
    hypers["cutoff_function"] = known.get(function.lower(), function)
    return {**{key: hypers[key] for key in _KEYS}, "formulation": "metatrain"}
