"""A new architecture: what is written, under which names, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtt import registry
from mtt.errors import ArchitectureError
from mtt.scaffold import FILES, write_architecture
from mtt.scaffold.copy_template import class_name, rendered


def test_the_example_is_what_the_command_writes(tmp_path: Path, root: Path) -> None:
    written = write_architecture("gaussians", tmp_path)
    example = root / "examples" / "architecture" / "gaussians"
    for file in FILES:
        assert (written / file).read_text() == (example / file).read_text(), file
    kept = {path.name for path in example.iterdir() if path.is_file()}
    assert kept == set(FILES)


def test_code_and_data_files_have_fewer_than_120_lines() -> None:
    texts = rendered("long_name_of_an_architecture")
    lines = {file: len(text.splitlines()) for file, text in texts.items() if file != "README.md"}
    assert sum(lines.values()) < 120, lines


def test_every_placeholder_is_replaced() -> None:
    for file, text in rendered("pair_net").items():
        assert not re.search("my_?architecture", text, re.IGNORECASE), file
    assert "class PairNet(MLIPModel)" in rendered("pair_net")["model.py"]


def test_a_new_folder_is_found_and_loads(tmp_path: Path) -> None:
    folder = write_architecture("pair_net", tmp_path / "made" / "too")
    assert folder == tmp_path / "made" / "too" / "pair_net"
    architecture = registry.find("pair_net", [folder]).load()
    assert architecture.model.__name__ == "PairNet"
    assert architecture.schema is not None
    assert registry.find("pair_net", [folder]).summary.startswith("Energies of atoms")


@pytest.mark.parametrize("name", ["tensor", "graph", "trainer", "smooth_cutoff", "none", "any"])
def test_a_class_hides_no_other_name(name: str, tmp_path: Path) -> None:
    folder = write_architecture(name, tmp_path)
    camel = class_name(name)
    loaded = registry.find(name, [folder]).load()
    assert loaded.model.__name__ == (camel if camel.endswith("Model") else f"{camel}Model")
    assert loaded.trainer.__name__ == "Trainer"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PairNet", "write pair_net"),
        ("pair-net 2", "write pair_net_2"),
        ("2body", "write body"),
        ("_hidden", "write hidden"),
        ("Ölfleck", "write lfleck"),
        ("!", "choose another name"),
        ("", "choose another name"),
        ("a/b", "write a_b"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="begins with a lower-case letter") as refused:
        write_architecture(name, tmp_path / "empty")
    assert refused.value.problems[0].hint == hint
    assert not (tmp_path / "empty").exists()


def test_a_word_of_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="'lambda' is a keyword of Python"):
        write_architecture("lambda", tmp_path)


def test_a_name_that_is_taken_is_refused(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(ArchitectureError, match="there is an architecture 'soap_bpnn' already, in"):
        write_architecture("soap_bpnn", tmp_path)
    write_architecture("own", tmp_path / "mine")
    monkeypatch.setenv("MTT_ARCHITECTURES", str(tmp_path / "mine"))
    with pytest.raises(ArchitectureError, match="there is an architecture 'own' already"):
        write_architecture("own", tmp_path / "elsewhere")


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(ArchitectureError, match="own: exists already; choose another name"):
        write_architecture("own", tmp_path)
    assert list((tmp_path / "own").iterdir()) == []


def test_a_place_that_is_not_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchitectureError, match=r"file: is a file, not a folder"):
        write_architecture("own", tmp_path / "file")
