"""What an exported model says of its inputs, in its metadata: engines do not ask for it."""

from __future__ import annotations

from metatomic.torch import ModelMetadata, ModelOutput

from mtt.checkpoint import merge_metadata
from mtt.mlip.inputs.check import Wanted, wanted_inputs
from mtt.mlip.inputs.names import own_name
from mtt.mlip.inputs.taking import TakesInputs

_PREFIX = "input "
_GIVEN = {True: "in the training set", False: "not in the training set"}


def with_inputs(metadata: ModelMetadata, model: TakesInputs) -> ModelMetadata:
    """``metadata`` with the range of each input of ``model`` under ``extra``."""
    extra = {
        f"{_PREFIX}{own_name(name)}": f"{one.least:g} to {one.most:g}, {_GIVEN[one.given]}"
        for name, one in wanted_inputs(model).items()
    }
    return merge_metadata(metadata, ModelMetadata(extra=extra)) if extra else metadata


def stored_inputs(metadata: ModelMetadata, requested: dict[str, ModelOutput]) -> dict[str, Wanted]:
    """Inputs of an exported model, by their own names.

    Of a file that says nothing of them, as those of other programs, any value is accepted.

    :param requested: what the model asks engines for.
    """
    extra = dict(metadata.extra)
    found = {}
    for asked, output in requested.items():
        name = own_name(asked)
        numbers, _, given = str(extra.get(f"{_PREFIX}{name}", "-inf to inf")).partition(", ")
        least, _, most = numbers.partition(" to ")
        of = (output.sample_kind == "atom", float(least), float(most), given == _GIVEN[True])
        found[name] = Wanted(*of)
    return found
