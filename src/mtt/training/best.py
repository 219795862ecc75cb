"""Which epoch is best."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from mtt.data.info import DatasetInfo
from mtt.errors import ConfigError, did_you_mean
from mtt.evaluation.metrics import names
from mtt.training.hypers import SECTION
from mtt.training.state import Best

_PRODUCTS = {"rmse_prod": " RMSE", "mae_prod": " MAE"}


class BestRule:
    """A strictly lower finite value of ``best_model_metric`` on the validation set is better.

    :raises ConfigError: no metric has this name.
    """

    def __init__(self, hypers: Mapping[str, Any], info: DatasetInfo) -> None:
        self.metric: str = hypers["best_model_metric"]
        known = ["loss", *_PRODUCTS, *names(info)]
        if self.metric not in known:
            raise ConfigError(
                f"unknown metric {self.metric!r}",
                where=f"{SECTION}.best_model_metric",
                hint=did_you_mean(self.metric, known) or f"one of {', '.join(known)}",
            )
        # losses of different weights cannot be compared
        loss = json.dumps(hypers["loss"], sort_keys=True)
        self.identity = f"loss {loss}" if self.metric == "loss" else self.metric

    def value(self, validation: Mapping[str, float]) -> float:
        """The number to compare; ``rmse_prod`` and ``mae_prod`` multiply all such errors."""
        if self.metric not in _PRODUCTS:
            return validation[self.metric]
        ending = _PRODUCTS[self.metric]
        return math.prod(value for name, value in validation.items() if name.endswith(ending))

    def improves(self, value: float, best: Best | None) -> bool:
        return math.isfinite(value) and (best is None or value < best.value)

    def comparable(self, best: Best) -> bool:
        """Whether ``best`` was chosen by this rule."""
        return best.metric == self.identity
