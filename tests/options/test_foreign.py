"""Options files of other programs are recognised."""

import pytest

from mtt.errors import ConfigError
from mtt.options import load_options
from mtt.workflows.show import show

FILES = {
    "MACE ": """
name: my_model
model_dir: MACE_models
train_file: data/train.xyz
device: cuda
""",
    "MACE  ": """
name: tuned
foundation_model: medium
lr: 0.01
ema: true
""",
    "MACE": """
name: ethanol
model: MACE
train_file: train.xyz
valid_fraction: 0.05
E0s: average
r_max: 5.0
hidden_irreps: 128x0e + 128x1o
max_num_epochs: 500
energy_key: REF_energy
""",
    "NequIP": """
run: [train, test]
cutoff_radius: 5.0
model_type_names: [C, H, O]
data:
  _target_: nequip.data.datamodule.ASEDataModule
  split_dataset: {file_path: train.xyz, train: 0.8, val: 0.1, test: 0.1}
trainer: {_target_: lightning.Trainer, max_epochs: 100}
training_module:
  _target_: nequip.train.EMALightningModule
  model: {_target_: nequip.model.NequIPGNNModel}
""",
    "NequIP  ": """
defaults: [{override hydra/job_logging: custom}]
run: [train, val, test]
cutoff_radius: 4.0
chemical_symbols: [C, H]
model_type_names: ${chemical_symbols}
training_module:
  model: {per_type_energy_shifts: "${training_data_stats:per_type_energy_mean}"}
""",
    "NequIP ": """
root: results/water
run_name: water
r_max: 4.0
l_max: 1
chemical_symbols: [H, O]
dataset_file_name: water.xyz
n_train: 100
n_val: 50
""",
    "SevenNet": """
model: {chemical_species: auto, cutoff: 5.0, channel: 32, lmax: 1}
train: {epoch: 10, is_train_stress: true}
data: {load_trainset_path: [train.xyz]}
""",
    "SevenNet ": """
model: {chemical_species: auto, cutoff: 5.0}
train: {epoch: 10, continue: {checkpoint: 7net-0, reset_epoch: true}}
data: {batch_size: 4, load_dataset_path: [train.extxyz]}
""",
    "graph-pes ": """
model: {many-body: {+SchNet: {cutoff: 5.0}}, offset: +LearnableOffset()}
data: {+load_atoms_dataset: {id: QM7}}
loss: [+PerAtomEnergyLoss(), +ForceRMSE()]
fitting: {trainer_kwargs: {max_epochs: 10}}
""",
    "graph-pes": """
model: {+PaiNN: {cutoff: 5.0}}
data: {train: train.xyz, valid: valid.xyz}
loss: +PerAtomEnergyLoss()
fitting: {trainer_kwargs: {max_epochs: 10}}
""",
    "DeePMD-kit": """
model: {type_map: [H, O], descriptor: {type: se_e2_a}, fitting_net: {neuron: [240]}}
learning_rate: {type: exp, start_lr: 0.001}
loss: {type: ener, start_pref_e: 0.02}
training: {numb_steps: 1000000, training_data: {systems: [data]}}
""",
    "mlip": """
num_epochs: 100
num_gradient_accumulation_steps: 1
use_ema_params_for_eval: true
eval_num_graphs: null
run_eval_at_start: true
""",
    "chemtrain": """
model: {r_cutoff: 0.5, edge_multiplier: 1.2, type: MACE}
optimizer: {init_lr: 1.0e-3, lr_decay: 1.0e-2, epochs: 100, batch: 8}
gammas: {U: 1.0e-6, F: 1.0e-2}
""",
}


@pytest.mark.parametrize("name", FILES)
def test_an_options_file_of_another_program_is_named_in_one_message(name, tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text(FILES[name])
    with pytest.raises(ConfigError) as caught:
        load_options(path)
    assert str(caught.value).startswith(
        f"{path}: this looks like an options file of {name.strip()}; see 'Coming from other "
        "programs' in the manual"
    )


def test_such_a_file_is_described_by_its_program(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text(FILES["SevenNet"])
    assert "this looks like an options file of SevenNet; see 'Coming" in show(path)["problem"]
    path.write_text("colour: blue\n")
    assert "holds no options: neither architecture nor systems" in show(path)["problem"]


@pytest.mark.parametrize(
    "text",
    [
        "seed: 1\nvalidation_set: 0.1\n",
        "model: MACE\n",
        "architecture: {name: x}\nr_max: 5.0\nE0s: average\ntrain_file: a.xyz\n",
    ],
)
def test_a_faulty_file_of_ours_is_not_taken_for_one(text, tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text(text)
    assert load_options(path).faults
