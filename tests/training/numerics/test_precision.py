"""What is asked of a device and what it can do, loss scaling, and the TF32 switches."""

from contextlib import nullcontext

import pytest
import torch

from mtt.errors import ConfigError
from mtt.options.training import parse
from mtt.training.numerics.precision import AUTOCAST_DTYPES, check_precision, make_scaler, tf32

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def hypers(amp=None, tf32=False, stages=None):
    return parse({"amp": amp, "tf32": tf32, "stages": stages})


@pytest.fixture
def card(monkeypatch):
    """Lets torch report an NVIDIA card with these abilities."""

    def pretend(bf16=True, tf32=True):
        monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
        monkeypatch.setattr(torch.cuda, "is_tf32_supported", lambda: tf32)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some Card")

    return pretend


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_nothing_asked_for_is_always_possible(dtype):
    check_precision(hypers(), CPU, dtype)
    check_precision(hypers(stages=[{"num_epochs": 2}]), torch.device("mps"), dtype)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_on_the_cpu_is_possible(amp):
    check_precision(hypers(amp), CPU, torch.float32)


def test_mixed_precision_and_tf32_on_a_newer_card_are_possible(card):
    card()
    for amp in ("bf16", "fp16"):
        check_precision(hypers(amp, tf32=True), CUDA, torch.float32)


@pytest.mark.parametrize(("dtype", "bits"), [(torch.float64, 64), (torch.float16, 16)])
def test_mixed_precision_of_what_is_not_float32_is_refused(dtype, bits):
    with pytest.raises(ConfigError, match=f"training.amp: .* model has {bits} bits; set base_prec"):
        check_precision(hypers("bf16"), CPU, dtype)


def test_mixed_precision_on_a_device_without_it_is_refused():
    with pytest.raises(ConfigError, match="no mixed precision on meta; set amp: null"):
        check_precision(hypers("bf16"), torch.device("meta"), torch.float32)


def test_bfloat16_on_an_older_card_is_refused_and_fp16_is_not(card):
    card(bf16=False)
    check_precision(hypers("fp16"), CUDA, torch.float32)
    with pytest.raises(ConfigError, match="Some Card does not compute in bfloat16; set amp: fp16"):
        check_precision(hypers("bf16"), CUDA, torch.float32)


def test_tf32_on_the_cpu_is_refused():
    with pytest.raises(ConfigError, match=r"training\.tf32: there is no TF32 on cpu; set tf32"):
        check_precision(hypers(tf32=True), CPU, torch.float32)


def test_tf32_on_an_older_card_is_refused(card):
    card(tf32=False)
    with pytest.raises(ConfigError, match="Some Card has no TF32"):
        check_precision(hypers(tf32=True), CUDA, torch.float32)


def test_tf32_of_a_model_in_float64_is_refused(card):
    card()
    with pytest.raises(ConfigError, match="TF32 rounds products of float32; the model has 64"):
        check_precision(hypers(tf32=True), CUDA, torch.float64)


def test_a_wish_that_no_stage_has_is_not_refused():
    stages = [{"num_epochs": 1, "amp": None}, {"num_epochs": 1, "amp": None}]
    check_precision(hypers("bf16", stages=stages), CPU, torch.float64)
    with pytest.raises(ConfigError, match=r"^architecture\.training\.amp: .* 64 bits"):
        check_precision(hypers("bf16", stages=[*stages, {"num_epochs": 1}]), CPU, torch.float64)


def test_all_unavailable_precisions_are_reported_at_once_with_their_stage():
    stages = [{"num_epochs": 1}, {"num_epochs": 1, "amp": "fp16"}]
    with pytest.raises(ConfigError) as caught:
        check_precision(hypers("bf16", tf32=True, stages=stages), CPU, torch.float64)
    places = [
        problem.where.removeprefix("architecture.training.") for problem in caught.value.problems
    ]
    assert places == ["amp", "stages[1].amp", "tf32"]


def test_only_fp16_scales_the_loss():
    assert make_scaler(None, CPU) is make_scaler("bf16", CPU) is None
    assert make_scaler("fp16", CPU).is_enabled()
    assert list(AUTOCAST_DTYPES.values()) == [None, torch.bfloat16, torch.float16]


def test_the_scaler_finds_gradients_that_fp16_cannot_hold_and_skips_on_the_cpu():
    weight = torch.nn.Parameter(torch.ones(()))
    optimizer, scaler = torch.optim.SGD([weight], lr=1.0), make_scaler("fp16", CPU)
    for factor, expected in ((torch.inf, 1.0), (0.25, 0.75)):
        before = scaler.get_scale()
        optimizer.zero_grad()
        scaler.scale(weight * factor).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert weight.item() == expected
        assert scaler.get_scale() == (before / 2 if factor == torch.inf else before)


def switches():
    """All of torch's switches that TF32 has to do with, by the new and the old interface."""
    cuda, cudnn, mkldnn = (
        torch.backends.cuda.matmul, torch.backends.cudnn, torch.backends.mkldnn.matmul,
    )  # fmt: skip
    new = [place.fp32_precision for place in (cuda, cudnn.conv, cudnn.rnn, mkldnn)]
    return [*new, cuda.allow_tf32, cudnn.allow_tf32, torch.get_float32_matmul_precision()]


@pytest.fixture
def restored():
    """torch's switches as they are when a process begins, afterwards too."""
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.mkldnn.matmul.fp32_precision = "none"
    torch.backends.cuda.matmul.fp32_precision = "none"
    torch.backends.cudnn.conv.fp32_precision = torch.backends.cudnn.rnn.fp32_precision = "tf32"


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("before", ["highest", "high", "medium"])
def test_tf32_is_what_was_asked_for_within_and_as_before_afterwards(wanted, before):
    torch.set_float32_matmul_precision(before)
    outside = switches()
    with tf32(wanted, CUDA):
        word = "tf32" if wanted else "ieee"
        assert switches()[:3] == [word] * 3
        assert switches()[4:6] == [wanted, wanted]
    assert switches() == outside


@pytest.mark.usefixtures("restored")
def test_tf32_is_restored_after_an_error():
    outside = switches()
    with pytest.raises(ZeroDivisionError), tf32(True, CUDA):
        raise ZeroDivisionError
    assert switches() == outside


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("wanted", [True, False])
def test_what_was_set_by_the_new_interface_alone_comes_back_too(wanted):
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    with tf32(wanted, CUDA):
        assert torch.backends.cuda.matmul.allow_tf32 == wanted
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"


def test_other_devices_have_no_such_switch():
    outside = switches()
    with tf32(False, CPU):
        assert switches() == outside
