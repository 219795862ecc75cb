"""SevenNet is trained by the platform's engine as it is."""

from mtt import MLIPTrainer


class Trainer(MLIPTrainer):
    """Minimises the loss on energies, forces and stress."""

    __checkpoint_version__ = 1
