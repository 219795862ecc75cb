"""Every form of metatrain's options file: accepted with the right meaning, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtt import registry
from mtt.errors import ArchitectureError, ConfigError
from mtt.options import Options, load_eval_options, load_options, read_yaml, resolve

FILES = Path(__file__).resolve().parent.parent / "resources" / "options"
OUTCOMES = read_yaml(FILES / "outcomes.yaml")
ARCHITECTURES = sorted(path.stem for path in FILES.glob("no_architecture_*.yaml"))


@pytest.fixture(autouse=True)
def in_the_folder_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES)


@pytest.fixture(params=["toy", "soap_bpnn"])
def architecture(request: pytest.FixtureRequest, toy: Any) -> Any:
    """The files are read for a toy, and for the architecture that they ask for."""
    return toy if request.param == "toy" else registry.find(request.param).load()


def options_of(name: str, architecture: Any) -> Options:
    return resolve(load_options(f"{name}.yaml"), architecture)


def at(value: Any, path: str) -> Any:
    """The value at a path like ``training_set.0.targets``; None where there is none."""
    for key in path.split("."):
        if isinstance(value, (list, dict)):
            known = isinstance(value, dict) or int(key) < len(value)
            value = value.get(key) if isinstance(value, dict) else known and value[int(key)]
        else:
            value = getattr(value, key, None)
    return value


def plain(value: Any) -> Any:
    """A section as a mapping, without further keys where it has none."""
    if not hasattr(value, "__dataclass_fields__"):
        return value
    further = {"others": (), "index": "last"}
    return {key: item for key, item in vars(value).items() if (key, item) not in further.items()}


def test_every_file_has_an_outcome() -> None:
    known = [*OUTCOMES["values"], *OUTCOMES["contradictory"], *OUTCOMES["refused"]]
    known += ["eval_one", "eval_many", "outcomes", *ARCHITECTURES]
    assert sorted(known) == sorted(path.stem for path in FILES.glob("*.yaml"))


@pytest.mark.parametrize("name", OUTCOMES["values"])
def test_an_existing_file_means_what_it_meant(name: str, architecture: Any) -> None:
    options = options_of(name, architecture)
    for path, expected in OUTCOMES["values"][name].items():
        assert plain(at(options, path)) == expected, path


@pytest.mark.parametrize("name", OUTCOMES["values"])
def test_options_written_out_read_back_as_the_same_options(
    name: str, architecture: Any, tmp_path: Path
) -> None:
    options = options_of(name, architecture)
    restart = tmp_path / "options_restart.yaml"
    restart.write_text(options.to_yaml(), encoding="utf-8")
    again = resolve(load_options(restart), architecture)
    assert again == options
    assert again.notices == ()
    assert again.to_yaml() == options.to_yaml()


@pytest.mark.parametrize("name", OUTCOMES["values"])
def test_deprecated_names_are_reported_with_their_line(name: str, architecture: Any) -> None:
    assert list(options_of(name, architecture).notices) == OUTCOMES["notices"].get(name, [])


@pytest.mark.parametrize("name", OUTCOMES["contradictory"])
def test_a_contradiction_is_refused(name: str, architecture: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        options_of(name, architecture)
    assert OUTCOMES["contradictory"][name] in str(caught.value)


@pytest.mark.parametrize("name", OUTCOMES["refused"])
def test_what_is_missing_is_refused_by_name_and_line(name: str, architecture: Any) -> None:
    with pytest.raises(ConfigError, match="not available") as caught:
        options_of(name, architecture)
    problems = str(caught.value)
    for expected in OUTCOMES["refused"][name]:
        assert expected in problems
    assert all(f"{name}.yaml:" in problem.where for problem in caught.value.problems)
    assert all("not available" in problem.what for problem in caught.value.problems)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_of_metatrain_is_not_available_here(name: str) -> None:
    raw = load_options(f"{name}.yaml")
    message = f"{name[16:]}.* not available here"
    with pytest.raises(ArchitectureError, match=message) as caught, raw.locating():
        registry.find(raw.architecture_name)
    assert caught.value.problems[0].where == f"{name}.yaml:2 architecture.name"


def test_evaluation_takes_one_data_set() -> None:
    (dataset,) = load_eval_options("eval_one.yaml")
    assert dataset.systems.read_from == "test.xyz"
    assert dataset.targets["energy"].key == "U"
    assert dataset.targets["energy"].forces is None
    assert dataset.targets["energy"].stress is not None


def test_evaluation_takes_a_list_of_data_sets_and_needs_no_targets() -> None:
    first, second = load_eval_options("eval_many.yaml")
    assert first.targets["energy"].read_from == "a.xyz"
    assert second.targets == {}
    assert second.indices == [0, 1]
