"""Files of published weights are read without running anything in them."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtt.errors import CheckpointError
from mtt.experimental.sevennet import published


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def stored(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def test_arrays_of_numbers_are_read() -> None:
    shift = np.linspace(0.0, 1.0, 3)
    content = {"config": {"shift": shift}, "model_state_dict": {"w": torch.ones(2)}}
    found = published.safely_read(stored(content), "here")
    np.testing.assert_array_equal(found["config"]["shift"], shift)
    assert torch.equal(found["model_state_dict"]["w"], torch.ones(2))


@pytest.mark.parametrize("place", ["config", "model_state_dict", "other"])
def test_a_program_in_a_file_is_refused_and_does_not_run(place: str, tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    content = {"config": {}, "model_state_dict": {}, place: {"x": Payload(mark)}}
    bytes_of_it = stored(content)
    with pytest.raises(CheckpointError, match="cannot be read without running programs in it"):
        published.safely_read(bytes_of_it, "crafted.pth")
    assert not mark.exists()
    function, arguments = Payload(mark).__reduce__()
    function(*arguments)  # what an unsafe reader would have called
    assert mark.exists()


def test_a_plain_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    with pytest.raises(CheckpointError, match="cannot be read without running programs in it"):
        published.safely_read(pickle.dumps(Payload(mark), protocol=2), "crafted.pth")
    assert not mark.exists()


def test_another_content_is_refused() -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint of sevenn; `mtt show list"):
        published.safely_read(stored([1, 2]), "list.pth")


@pytest.mark.skipif(find_spec("sevenn") is None, reason="needs sevenn: mtt[sevennet]")
class TestFilesOfThePackage:
    def test_a_file_of_another_checksum_is_not_loaded(self, monkeypatch: Any) -> None:
        other = replace(published.PUBLISHED["7net-0"], sha256="0" * 64)
        monkeypatch.setitem(published.PUBLISHED, "7net-0", other)
        monkeypatch.setattr(published, "safely_read", lambda *_: pytest.fail("it was loaded"))
        with pytest.raises(CheckpointError, match=r"is not the file of 7net-0 .* nothing of it"):
            published.content_of("7net-0")

    def test_a_missing_file_is_named(self, monkeypatch: Any) -> None:
        other = replace(published.PUBLISHED["7net-0"], file="none.pth")
        monkeypatch.setitem(published.PUBLISHED, "7net-0", other)
        with pytest.raises(CheckpointError, match=r"none.pth: the weights of 7net-0 cannot be re"):
            published.content_of("7net-0")

    @pytest.mark.parametrize("name", published.PUBLISHED)
    def test_every_published_file_is_read(self, name: str) -> None:
        config = published.content_of(name)["config"]
        assert config["_number_of_species"] == 89
        modalities = published.PUBLISHED[name].modalities
        assert set(config.get("_modal_map", {})) == set(modalities)
        assert config.get("default_modal") == (modalities[0] if modalities else None)
