"""The platform's engine, as it is: all options of training, restarts and fine-tuning."""

from mtt import MLIPTrainer


class Trainer(MLIPTrainer):
    """Minimises the loss on energies, forces and stress."""

    __checkpoint_version__ = 1
