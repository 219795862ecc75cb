"""Whatever a checkpoint may hold comes back from JSON and bytes as what it was."""

from __future__ import annotations

import json
import math
import re
from collections import OrderedDict
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtt.checkpoint import plain
from mtt.checkpoint.format import first_difference


def there_and_back(value: Any) -> Any:
    """Through the text of a JSON file that knows no NaN, and through bytes."""
    tensors: plain.Tensors = {}
    text = json.dumps(plain.encode(value, tensors), allow_nan=False)
    stored = {name: bytes(plain.to_bytes(tensor)) for name, tensor in tensors.items()}

    def tensor(description: dict[str, Any]) -> torch.Tensor:
        dtype = plain.DTYPES[description["dtype"]]
        return plain.from_bytes(stored[description["member"]], dtype, description["shape"])

    return plain.decode(json.loads(text), tensor)


def assert_comes_back(value: Any) -> None:
    again = there_and_back(value)
    assert first_difference(value, again, same=plain.same_values) is None
    assert repr(again) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, -(2**80), 0.1, -0.0, 5e-324, 1.7976931348623157e308, math.nan, math.inf,
        -math.inf, 1 + 2j, complex(math.nan, math.inf), "", "Å\n\ud800\0", b"", b"\x00\xff",
        bytearray(b"ab"), torch.float32, torch.bfloat16, torch.device("cuda", 1),
        torch.Size([2, 3]), (), (1, (2, [3])), [], {}, {"a": {"b": [{}]}}, {1: "int", "1": "text"},
        {True: 1, None: 2, 0.5: 3, b"k": 4, (1, "a"): 5}, {"$tensor": {"member": "x"}}, {"$": 1},
        OrderedDict([("b", 1), ("a", OrderedDict())]), set(), {3},
    ],
    ids=repr,
)  # fmt: skip
def test_every_plain_type_comes_back(value: Any) -> None:
    assert_comes_back(value)
    assert_comes_back({"in": [value, (value, {"a": {"deep": value}})]})


@pytest.mark.parametrize("name", plain.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (2, 3, 4)], ids=str)
def test_every_dtype_and_shape_comes_back_bit_for_bit(name: str, shape: tuple[int, ...]) -> None:
    dtype = plain.DTYPES[name]
    generator = torch.Generator().manual_seed(0)
    size = torch.Size([*shape, dtype.itemsize])
    # any bits: negative zeros, NaN with a payload, subnormal numbers
    values = torch.randint(0, 2 if name == "bool" else 256, size, generator=generator)
    tensor = values.to(torch.uint8).view(dtype).reshape(shape)
    again = there_and_back(tensor)
    assert (again.dtype, again.shape) == (tensor.dtype, tensor.shape)
    assert plain.same_values(tensor, again)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T, lambda x: x[:, 1::2], lambda x: x[1:2], lambda x: x.expand(2, 3, 4),
        lambda x: x[:, :1].expand(3, 4), lambda x: torch.complex(x, x).conj(),
        lambda x: torch.complex(x, x).conj().imag, lambda x: torch.nn.Parameter(x),
        lambda x: x.detach().requires_grad_(True) * 2,
    ],
)  # fmt: skip
def test_views_and_parameters_come_back_as_the_values_they_show(view: Any) -> None:
    tensor = view(torch.arange(12.0).reshape(3, 4))
    again = there_and_back({"w": tensor})["w"]
    assert again.is_contiguous()
    assert not again.requires_grad
    assert torch.equal(again, tensor.detach())


def test_tensors_that_come_back_can_be_written_to() -> None:
    again = there_and_back(torch.ones(3))
    again += 1
    assert again.tolist() == [2.0] * 3


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.complex_numbers()
)  # fmt: skip
keys = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
            | st.dictionaries(keys, inner, max_size=4).map(OrderedDict)
        ),
        max_leaves=20,
    )
)
def test_any_nesting_comes_back(value: Any) -> None:
    assert_comes_back(value)


def test_equal_sets_give_equal_text() -> None:
    one, other = set([0, 8, 16]), set([16, 8, 0])  # noqa: C405
    assert list(one) != list(other), "these collide, so that the order of insertion shows"
    assert plain.encode(one, {}) == plain.encode(other, {})
    assert there_and_back(one) == one


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [{1}, object()]}, r"a\[1\]"),
        ({"w": torch.ones(2, 2).to_sparse()}, "w"),
        ({"w": (torch.empty(2, device="meta"),)}, r"w\[0\]"),
        ({"d": {"x": torch.quint8}}, r"d\['x'\]"),
    ],
)
def test_what_cannot_be_stored_is_named(value: Any, where: str) -> None:
    [(path, why)] = plain.unstorable(value)
    assert re.fullmatch(where, path)
    assert why


@pytest.mark.parametrize(
    "value",
    [
        {"$what": 1}, {"$tuple": [1], "more": 2}, {"$tuple": 1}, {"$dict": [[1]]},
        {"$dict": [[[1], 2]]}, {"$float": []}, {"$float": "x"}, {"$bytes": "?"}, {"$dtype": "load"},
        {"$device": "nowhere"}, {"$size": ["a"]}, {"$set": [[]]}, {"$dtype": ["float32"]},
    ],
    ids=str,
)  # fmt: skip
def test_what_was_never_written_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError, LookupError, RuntimeError)):
        plain.decode(value, lambda stored: torch.empty(0))
