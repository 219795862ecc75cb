"""Other programs that train interatomic potentials, each in an environment of its own."""

from __future__ import annotations

from peers.mace import Mace
from peers.metatrain import Metatrain
from peers.nequip import Nequip
from peers.program import BATCH_SIZE, Job, Program

__all__ = ["BATCH_SIZE", "PEERS", "Job", "Program"]

# Options near the defaults of each program, of a size that learns on a few cores in minutes;
# nothing is tuned for the data.
PEERS: tuple[Program, ...] = (
    Nequip("nequip"),
    Mace("mace"),
    Metatrain("metatrain-soap_bpnn", "soap_bpnn", {}, {}),
    Metatrain("metatrain-pet", "pet", {}, {}),
    Metatrain(
        "metatrain-pet-small",
        "pet",
        {
            "cutoff": 5.0, "d_pet": 32, "d_node": 64, "d_head": 32, "d_feedforward": 64,
            "num_heads": 4, "num_gnn_layers": 2, "num_attention_layers": 1,
        },
        {"learning_rate": 1e-3, "warmup_fraction": 0.02},
    ),
)  # fmt: skip
