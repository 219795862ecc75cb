"""Linear ACE is solved by the platform's least squares as it is."""

from mtt import LeastSquaresTrainer


class Trainer(LeastSquaresTrainer):
    """Solves for all weights at once."""

    __checkpoint_version__ = 1
