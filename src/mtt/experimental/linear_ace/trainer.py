"""Linear ACE is solved by the platform's least squares as it is."""

from typing import Any, Dict

from metatomic.torch import unit_conversion_factor

from mtt import DatasetInfo, LeastSquaresTrainer


class Trainer(LeastSquaresTrainer):
    """Solves for all weights at once."""

    __checkpoint_version__ = 1

    @classmethod
    def quick_fit(cls, dataset_info: DatasetInfo) -> Dict[str, Any]:
        """A small model: enough to distinguish wrong labels from right ones."""
        unit = dataset_info.length_unit
        angstrom = unit_conversion_factor("angstrom", unit) if unit else 1.0
        model = {
            "cutoff": {"radius": 4.5 * angstrom, "width": 2.5 * angstrom},
            "smearing": 0.4 * angstrom,
            "max_radial": 7,
            "max_angular": 3,
            "features": 250,
        }
        return {"model": model, "training": {}}
