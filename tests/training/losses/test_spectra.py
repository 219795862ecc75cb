"""The loss of spectra whose axis has no zero, against a loop over all shifts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from mtt import DatasetInfo, Graph, Target, TargetInfo
from mtt.data import Batch
from mtt.errors import ConfigError
from mtt.options.training.loss import LossOptions, LossSection, loss_faults
from mtt.training.losses.from_options import free_to_shift, make_loss
from mtt.training.losses.loss import REDUCTIONS, Loss, Term

POINTS = 17
FULL = {"int_weight": 2.0, "grad_penalty_weight": 1e-3, "grid_step": 0.05}
FIVE_POINTS = np.array([1 / 4, -4 / 3, 3.0, -4.0, 25 / 12])


def trapezoid(values: np.ndarray, step: float) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * step)])


def expected(p: np.ndarray, y: np.ndarray, options: Mapping[str, float]) -> float:
    n, step, known = len(p), options["grid_step"], np.isfinite(y)
    if not known.any():
        return 0.0
    wide = np.concatenate([np.zeros(n), p, np.zeros(n)])
    losses = [
        np.nansum((wide[k : k + n] - y) ** 2) + (wide[:k] ** 2).sum() for k in range(2 * n + 1)
    ]
    k = int(np.argmin(losses))
    error = np.where(known, wide[k : k + n] - y, 0.0)
    running = np.where(known, trapezoid(error, step), 0.0)[1:]
    slopes = np.zeros(n - 4)
    for i in range(4, n):
        place = i + n - k  # among the labels
        if place >= n or (place >= 0 and not known[place]):
            slopes[i - 4] = FIVE_POINTS @ p[i - 4 : i + 1] / step
    penalty = options["grad_penalty_weight"] * trapezoid(slopes**2, step)[-1]
    return losses[k] + options["int_weight"] * trapezoid(running**2, step)[-1] + penalty


@pytest.fixture
def spectra() -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions, and labels that are like them but moved, masked, or missing."""
    random = np.random.default_rng(0)
    predicted = random.random((5, POINTS))
    true = predicted + 0.05 * random.normal(size=predicted.shape)
    true[0] = np.roll(true[0], 3)
    true[1, :-4] = true[1, 4:]
    true[0, 12:] = true[1, :2] = true[1, 13:] = true[2, 5:7] = true[3] = np.nan
    return torch.tensor(predicted), torch.tensor(true)


def batch_of(true: torch.Tensor) -> Batch:
    n = len(true)
    owner, pair, real = torch.arange(n), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3)
    graph = Graph(owner, owner, n, pair, pair, real, torch.zeros(n, 3), torch.zeros(n, 3, 3))
    sizes, volumes = torch.arange(1, n + 1), torch.zeros(n, dtype=torch.float64)
    return Batch(graph, {"mtt::dos": Target(true)}, sizes, owner, volumes, None)


def value(term: Term, predicted: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    loss = Loss([term])
    return loss.weighted(loss({"mtt::dos": Target(predicted)}, batch_of(true)))[0]


def term_of(options: Mapping[str, float], **more: object) -> Term:
    parameters = tuple(options.items())
    return Term("mtt::dos", "values", "shift_agnostic_mse", parameters=parameters, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("per_atom", [True, False])
@pytest.mark.parametrize("off", ["", "int_weight", "grad_penalty_weight"])
def test_it_is_the_smallest_of_all_shifts(
    spectra: tuple[torch.Tensor, torch.Tensor], reduction: str, per_atom: bool, off: str
) -> None:
    predicted, true = spectra
    options = FULL | ({off: 0.0} if off else {})
    term = term_of(options, reduction=reduction, per_atom=per_atom, scale=0.7)
    sizes = 0.7 * (np.arange(1, 6)[:, None] if per_atom else np.ones((5, 1)))
    rows = [
        expected(p, y, options)
        for p, y in zip(predicted.numpy() / sizes, true.numpy() / sizes, strict=True)
    ]
    wanted = sum(rows) / (1 if reduction == "sum" else 4)  # one of five has no label
    assert value(term, predicted, true).item() == pytest.approx(wanted, rel=1e-11)
    assert torch.autograd.gradcheck(lambda x: value(term, x, true), predicted.requires_grad_(True))


def test_a_rigid_shift_costs_nothing_but_the_states_below_all_labels() -> None:
    peak = torch.zeros(1, 40, dtype=torch.float64)
    peak[0, 10:14] = torch.tensor([1.0, 3.0, 2.0, 1.0])
    complete = term_of({**FULL, "grad_penalty_weight": 0.0}, complete=True)
    for shift in (-10, -3, 0, 5, 26):
        assert value(complete, peak.roll(shift, 1), peak).item() == pytest.approx(0.0, abs=1e-12)
    below = peak.clone()
    below[0, 2] = 0.5
    label = peak.clone()
    label[0, :4] = torch.nan
    # the state of 0.5 may hide among masked points, not below the grid
    assert value(complete, below, label).item() == pytest.approx(0.0, abs=1e-12)
    assert value(complete, below, peak).item() > 0.2


def test_spectra_without_labels_give_nothing_bit_for_bit(
    spectra: tuple[torch.Tensor, torch.Tensor],
) -> None:
    predicted, true = spectra
    results = []
    for other in (0.0, torch.inf, torch.nan):
        changed = predicted.clone()
        changed[3] = other
        changed.requires_grad_(True)
        found = value(term_of(FULL), changed, true)
        found.backward()
        assert changed.grad is not None
        assert not changed.grad[3].any()
        results.append((found.detach(), changed.grad))
    assert all(torch.equal(one, two) for one, two in zip(results[0], results[1], strict=True))
    assert all(torch.equal(one, two) for one, two in zip(results[0], results[2], strict=True))
    nothing = value(term_of(FULL), predicted, torch.full_like(true, torch.nan))
    assert nothing.item() == 0.0


def test_counts_need_no_prediction(spectra: tuple[torch.Tensor, torch.Tensor]) -> None:
    predicted, true = spectra
    for complete in (True, False):
        loss = Loss([term_of(FULL, complete=complete)])
        found = loss({"mtt::dos": Target(predicted)}, batch_of(true))
        assert float(found[0].labelled) == (5 if complete else 4)
        assert [float(one) for one in loss.counts(batch_of(true))] == [float(found[0].labelled)]


def info_of(**target: object) -> DatasetInfo:
    return DatasetInfo("", (1,), {"mtt::dos": TargetInfo(**target)})  # type: ignore[arg-type]


def test_parameters_come_from_the_options_and_sums_are_compared_per_atom() -> None:
    entry = {"type": "shift_agnostic_mse", "int_weight": 2, "gradients": {}}
    options = LossSection(loss={"mtt::dos": LossOptions.of(entry)})
    assert LossOptions.of(entry).plain()["int_weight"] == 2.0
    for extensive in (True, False):
        (term,) = make_loss(
            options, info_of(properties=8, extensive=extensive), {"mtt::dos": 1.0}
        ).terms
        assert dict(term.parameters) == {
            "int_weight": 2.0,
            "grad_penalty_weight": 0.0,
            "grid_step": 0.05,
        }
        assert term.per_atom is extensive
    loss = make_loss(
        LossSection(loss="shift_agnostic_mse"), info_of(properties=8), {"mtt::dos": 1.0}
    )
    assert free_to_shift([loss]) == {"mtt::dos"}
    assert loss.identity != Loss([term]).identity
    assert free_to_shift([make_loss(LossSection(), info_of(), {"mtt::dos": 1.0})]) == set()


@pytest.mark.parametrize(
    "target", [{}, {"properties": 4}, {"kind": 'cartesian {"rank": 1}', "properties": 9}]
)
def test_what_is_not_a_spectrum_is_refused(target: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="is for spectra: scalars with num_subtargets points"):
        make_loss(LossSection(loss="shift_agnostic_mse"), info_of(**target), {"mtt::dos": 1.0})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("int_weight", -1.0, "int_weight: must be at least 0, got -1.0"),
        ("grid_step", 0.0, "grid_step: must be above 0, got 0.0"),
        ("grid_step", "fine", "grid_step: expected a number, got 'fine'"),
        ("max_shift", 3, "unknown option 'max_shift'"),
    ],
)
def test_wrong_parameters_are_refused(key: str, value: object, message: str) -> None:
    loss = {"mtt::dos": {"type": "shift_agnostic_mse", key: value}}
    found = [f"{fault.path[-1]}: {fault.what}" for fault in loss_faults(loss, ("loss",))]
    assert len(found) == 1
    assert message in found[0]
