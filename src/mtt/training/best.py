"""Which epoch is best."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mtt.data.info import DatasetInfo
from mtt.errors import ConfigError, did_you_mean
from mtt.evaluation.metrics import names
from mtt.training.hypers import SECTION
from mtt.training.loss import Loss
from mtt.training.state import Best
from mtt.training.validation import metric_names

_PRODUCTS = {"rmse_prod": " RMSE", "mae_prod": " MAE"}
_COSINE = " cosine"


class BestRule:
    """A strictly lower finite value of ``best_model_metric`` on the validation sets is better.

    A plain name (``forces RMSE``) is judged on all validation structures together, one with
    the name of a set before it (``bulk forces RMSE``) on that set alone. Of a cosine, of which
    more is better, ``1 - forces cosine`` is compared.

    :param loss: that of the training; losses of different weights are not compared.
    :param validation_names: sets that have metrics of their own.
    :raises ConfigError: no metric has this name.
    """

    metric: str
    """What :meth:`value` is, for people."""

    def __init__(
        self,
        hypers: Mapping[str, Any],
        info: DatasetInfo,
        loss: Loss,
        validation_names: Sequence[str] = (),
    ) -> None:
        self._chosen: str = hypers["best_model_metric"]
        extended: bool = hypers["extended_metrics"]
        prefixes = ["", *(f"{name} " for name in validation_names)]
        products = [f"{prefix}{product}" for prefix in prefixes for product in _PRODUCTS]
        known = [*metric_names(info, extended, validation_names), *products]
        if self._chosen not in known:
            raise ConfigError(
                f"unknown metric {self._chosen!r}",
                where=f"{SECTION}.best_model_metric",
                hint=_hint(self._chosen, known, info, extended),
            )
        plain = [*metric_names(info, extended), *_PRODUCTS]
        pairs = ((prefix, metric) for prefix in prefixes for metric in plain)
        prefix, metric = next(pair for pair in pairs if "".join(pair) == self._chosen)
        self._factors = [
            f"{prefix}{name}"
            for name in names(info)
            if metric in _PRODUCTS and name.endswith(_PRODUCTS[metric])
        ]
        self._is_cosine = metric.endswith(_COSINE)
        self.metric = f"1 - {self._chosen}" if self._is_cosine else self._chosen
        self.identity = f"{prefix}loss {loss.identity}" if metric == "loss" else self.metric

    def leave_out(self, nowhere: Collection[str]) -> None:
        """Products do without ``nowhere``: metrics of targets that no set at all has a label of.

        An energy that is learnt from forces alone has no error that could choose.
        """
        self._factors = [name for name in self._factors if name not in nowhere] or self._factors

    def check_labels(self, unlabelled: Collection[str]) -> None:
        """Whether the metric can be found.

        :param unlabelled: metrics for which no validation structure has a label.
        :raises ConfigError: it cannot, so that no epoch would ever be the best.
        """
        lacking = [name for name in self._factors or [self._chosen] if name in unlabelled]
        if lacking:
            raise ConfigError(
                f"no validation structure has a label for {', '.join(lacking)}",
                where=f"{SECTION}.best_model_metric",
                hint="take another metric, or validate on structures that have such labels",
            )

    def value(self, validation: Mapping[str, float]) -> float:
        """The number to compare, lower is better.

        ``rmse_prod`` and ``mae_prod`` multiply the errors of all targets and derivatives.

        :param validation: metrics of :meth:`mtt.training.validation.Validation.run`.
        """
        if self._factors:
            return math.prod(validation[name] for name in self._factors)
        value = validation[self._chosen]
        return 1.0 - value if self._is_cosine else value

    def improves(self, value: float, best: Best | None) -> bool:
        """Whether ``value`` is finite and below the best one."""
        return math.isfinite(value) and (best is None or value < best.value)

    def comparable(self, best: Best) -> bool:
        """Whether ``best`` was chosen by this rule."""
        return best.metric == self.identity


def _hint(metric: str, known: Sequence[str], info: DatasetInfo, extended: bool) -> str:
    if not extended and any(metric.endswith(name) for name in names(info, extended=True)):
        return "extended_metrics: true makes it known"
    return did_you_mean(metric, known) or f"one of {', '.join(known)}"
