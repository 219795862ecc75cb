"""Which epoch is best."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from mtt.data.info import DatasetInfo
from mtt.errors import ConfigError, did_you_mean
from mtt.evaluation.metrics import names
from mtt.options.training.stopping import StoppingOptions
from mtt.training.losses.loss import Loss
from mtt.training.options.defaults import SECTION
from mtt.training.scoring.label_noise import LabelNoise
from mtt.training.scoring.validation import metric_names
from mtt.training.state import Best

_PRODUCTS = {"rmse_prod": " RMSE", "mae_prod": " MAE"}
_COSINE = " cosine"
_WHY = "all validation labels of it are zero or rounding noise"


class BestRule:
    """A strictly lower finite value of ``best_model_metric`` on the validation sets is better.

    A plain name (``forces RMSE``) is judged on all validation structures together, one with
    the name of a set before it (``bulk forces RMSE``) on that set alone. Of a cosine, of which
    more is better, ``1 - forces cosine`` is compared.

    Products multiply the errors of all targets and derivatives but those of which all labels are
    zero or noise (:mod:`mtt.training.scoring.label_noise`).

    :param loss: that of the training; losses of different weights are not compared.
    :param validation_names: sets that have their own metrics.
    :param noise: which errors the validation labels allow to choose.
    :raises ConfigError: no metric has this name.
    """

    metric: str
    """The name of :meth:`value` in messages."""

    def __init__(
        self,
        options: StoppingOptions,
        info: DatasetInfo,
        loss: Loss,
        validation_names: Sequence[str] = (),
        noise: LabelNoise | None = None,
    ) -> None:
        self._chosen = options.best_model_metric
        self._noise = noise or LabelNoise()
        self._nowhere: frozenset[str] = frozenset()
        extended = options.extended_metrics
        prefixes = ["", *(f"{name} " for name in validation_names)]
        self._products = {
            f"{prefix}{product}": [f"{prefix}{name}" for name in names(info) if name.endswith(kind)]
            for prefix in prefixes
            for product, kind in _PRODUCTS.items()
        }
        known = [*metric_names(info, extended, validation_names), *self._products]
        if self._chosen not in known:
            raise ConfigError(
                f"unknown metric {self._chosen!r}",
                where=f"{SECTION}.best_model_metric",
                hint=_hint(self._chosen, known, info, extended),
            )
        plain = [*metric_names(info, extended), *_PRODUCTS]
        pairs = ((prefix, metric) for prefix in prefixes for metric in plain)
        prefix, metric = next(pair for pair in pairs if "".join(pair) == self._chosen)
        self._is_cosine = metric.endswith(_COSINE)
        self.metric = f"1 - {self._chosen}" if self._is_cosine else self._chosen
        if self._chosen in self._products and self._left_out(self._chosen):
            self.metric += f" without {', '.join(map(_quantity, self._left_out(self._chosen)))}"
        self.identity = f"{prefix}loss {loss.identity}" if metric == "loss" else self.metric

    def leave_out(self, nowhere: Collection[str]) -> None:
        """Products do without ``nowhere``: metrics of targets that no set at all has a label of.

        An energy that is learnt from forces alone has no error that could choose.
        """
        self._nowhere = frozenset(nowhere)

    @property
    def product_names(self) -> list[str]:
        """All products, which schedules may listen to as well."""
        return list(self._products)

    def products_with(self, metrics: Collection[str]) -> set[str]:
        """Products of which one of ``metrics`` is a factor."""
        return {name for name in self._products if set(self._factors(name)) & set(metrics)}

    def notice(self, metric: str) -> str:
        """Notice on ``metric`` where its labels are zero or noise; else empty."""
        if metric in self._products:
            left_out = ", ".join(self._left_out(metric))
            rest = ", ".join(self._factors(metric))
            return f"{metric} is {rest} without {left_out}: {_WHY}" if left_out else ""
        if _quantity(metric) in self._noise.noise:
            return f"{metric} chooses by rounding noise: {_WHY}; take another metric"
        return ""

    def _left_out(self, product: str) -> list[str]:
        noise = self._noise.noise
        return [name for name in self._products[product] if _quantity(name) in noise]

    def _factors(self, product: str) -> list[str]:
        noise = self._noise.noise
        known = [name for name in self._products[product] if _quantity(name) not in noise]
        return [name for name in known if name not in self._nowhere] or known

    def check_labels(self, unlabelled: Collection[str]) -> None:
        """Whether the metric can be found.

        :param unlabelled: metrics for which no validation structure has a label.
        :raises ConfigError: it cannot, so that no epoch would ever be the best.
        """
        chosen = self._chosen
        factors = self._factors(chosen) if chosen in self._products else [chosen]
        lacking = [name for name in factors if name in unlabelled]
        if lacking:
            raise ConfigError(
                f"no validation structure has a label for {', '.join(lacking)}",
                where=f"{SECTION}.best_model_metric",
                hint="take another metric, or validate on structures that have such labels",
            )

    def value(self, validation: Mapping[str, float]) -> float:
        """The number to compare, lower is better.

        :param validation: metrics of :meth:`mtt.training.scoring.validation.Validation.run`.
        """
        if self._chosen in self._products:
            return self._product(self._chosen, validation)
        value = validation[self._chosen]
        return 1.0 - value if self._is_cosine else value

    def with_products(self, validation: Mapping[str, float]) -> dict[str, float]:
        """``validation`` and all products, as a schedule may listen to them."""
        found = {name: self._product(name, validation) for name in self._products}
        return {**validation, **found}

    def _product(self, product: str, validation: Mapping[str, float]) -> float:
        """An error below its floor counts as the floor: exact zeros do not hide the others."""
        floors = self._noise.floors
        factors = ((validation[name], name) for name in self._factors(product))
        return math.prod(max(error, floors.get(_quantity(name), 0.0)) for error, name in factors)

    def improves(self, value: float, best: Best | None) -> bool:
        """Whether ``value`` is finite and below the best one."""
        return math.isfinite(value) and (best is None or value < best.value)

    def comparable(self, best: Best) -> bool:
        """Whether ``best`` was chosen by this rule."""
        return best.metric == self.identity


def _quantity(metric: str) -> str:
    """``bulk forces`` of ``bulk forces RMSE``."""
    return metric.rpartition(" ")[0]


def _hint(metric: str, known: Sequence[str], info: DatasetInfo, extended: bool) -> str:
    if not extended and any(metric.endswith(name) for name in names(info, extended=True)):
        return "extended_metrics: true makes it known"
    return did_you_mean(metric, known) or f"one of {', '.join(known)}"
