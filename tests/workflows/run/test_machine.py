"""Device and precision: the user's wish, the model's support, and what is there."""

import pytest
import torch

from mtt.errors import ConfigError
from mtt.registry import find
from mtt.workflows.run.machine import choose_device, choose_dtype

MODEL = find("soap_bpnn").load().model


class SinglePrecision(MODEL):
    """On the CPU, in float32 only."""

    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float32]


def test_without_a_wish_the_first_choice_that_is_here_is_taken():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device(None, MODEL).type == expected
    assert choose_dtype(None, MODEL) == torch.float32


def test_wishes_are_followed():
    assert choose_device("cpu", MODEL) == torch.device("cpu")
    assert choose_dtype(64, MODEL) == torch.float64


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("cuda", "SinglePrecision does not run on 'cuda'; it supports: cpu"),
        ("gpu", "no gpu device on this machine"),
    ],
)
def test_an_impossible_device_is_refused(wish, message):
    with pytest.raises(ConfigError, match=message):
        choose_device(wish, SinglePrecision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_device_causes_no_silent_fallback():
    with pytest.raises(ConfigError, match="no cuda device on this machine"):
        choose_device("cuda", MODEL)


def test_an_impossible_precision_is_refused():
    with pytest.raises(ConfigError, match="does not support 64 bits; it supports: 32"):
        choose_dtype(64, SinglePrecision)
