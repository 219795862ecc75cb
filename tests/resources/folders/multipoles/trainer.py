from mtt import MLIPTrainer


class Trainer(MLIPTrainer):
    """The platform's engine, as it is."""

    __checkpoint_version__ = 1
