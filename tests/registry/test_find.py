"""Architectures are found in four places, by name, and without being imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mtt.errors import ArchitectureError
from mtt.registry import discover, find
from mtt.registry.places import VARIABLE

BOOM = '"""Breaks."""\nraise RuntimeError("imported")\n'


def test_a_folder_of_architectures_is_found(folder) -> None:
    first, second = folder("first"), folder("second")
    found = discover([first.parent])
    assert (found["first"].folder, found["second"].folder) == (first, second)
    assert found["first"].state == "external"
    assert found["first"].origin == "--architectures"


def test_an_architecture_folder_itself_is_found(folder) -> None:
    assert find("first", [folder("first")]).folder.name == "first"


def test_a_path_may_be_relative_or_begin_with_a_tilde(folder, monkeypatch) -> None:
    path = folder("first")
    monkeypatch.chdir(path.parent.parent)
    assert find("first", ["own"]).folder == path
    monkeypatch.setenv("HOME", str(path.parent.parent))
    assert find("first", ["~/own"]).folder == path


def test_the_variable_names_folders_apart_from_each_other_by_colons(folder, monkeypatch) -> None:
    first, second = folder("first"), folder("second")
    monkeypatch.setenv(VARIABLE, f"{first}:{second}:")
    found = discover()
    assert {"first", "second"} <= set(found)
    assert found["first"].origin == VARIABLE


def test_a_folder_that_is_not_there_is_named(folder, monkeypatch) -> None:
    own = folder("first").parent
    wrong = own.with_name("onw")
    with pytest.raises(ArchitectureError, match=r"--architectures: .*onw is not a f.*mean 'own'"):
        discover([wrong])
    monkeypatch.setenv(VARIABLE, str(wrong))
    with pytest.raises(ArchitectureError, match=f"{VARIABLE}: .*onw is not a folder"):
        discover()


def test_an_installed_package_is_found_by_its_entry_point(folder, install, tmp_path) -> None:
    path = folder("arch", parent=tmp_path / "installed_one")
    (tmp_path / "installed_one" / "__init__.py").write_text(BOOM)
    install("installed-one", {"theirs": "installed_one.arch"})
    one = discover()["theirs"]
    assert (one.folder, one.state, one.problem) == (path, "external", "")
    assert one.origin == "package installed-one"


@pytest.mark.parametrize(
    ("module", "what"),
    [
        ("installed_absent", "names 'installed_absent', which is not a package"),
        ("installed_two.absent", "which is not a package"),
        ("installed_two.module", "which is not a package"),
        ("installed_two.empty", "lacks default-hypers.yaml"),
    ],
)
def test_a_wrong_entry_point_affects_only_its_user(folder, install, tmp_path, module, what) -> None:
    package = tmp_path / "installed_two"
    (package / "empty").mkdir(parents=True)
    for name in ("__init__.py", "module.py", "empty/__init__.py"):
        (package / name).write_text("")
    install("installed-two", {"theirs": module})
    own = folder("first")
    assert what in discover([own])["theirs"].problem
    assert find("first", [own]).folder == own
    with pytest.raises(ArchitectureError, match=f"'theirs' cannot be used: .*{what}"):
        find("theirs")


def test_the_package_holds_the_stable_ones(root) -> None:
    places = root / "src" / "mtt"
    for name, one in discover().items():
        if one.origin == "mtt":
            place, prefix = {
                "stable": ("architectures", ""),
                "experimental": ("experimental", "experimental."),
                "deprecated": ("deprecated", "deprecated."),
            }[one.state]
            assert one.folder.parent == places / place
            assert name == f"{prefix}{one.folder.name}"
    stable = [name for name, one in discover().items() if one.state == "stable"]
    folders = [p.parent.name for p in (places / "architectures").glob("*/default-hypers.yaml")]
    assert sorted(stable) == sorted(folders)


@pytest.mark.parametrize("state", ["experimental", "deprecated"])
def test_the_name_says_that_it_is_not_stable(folder, tmp_path, monkeypatch, state) -> None:
    path = folder("fresh", parent=tmp_path / state)
    monkeypatch.setattr("mtt.registry.places._PACKAGE", tmp_path)
    one = find(f"{state}.fresh")
    assert (one.folder, one.state) == (path, state)
    message = f"opt.yaml:3: there is no architecture 'fresh', but '{state}.fresh', which is {state}"
    with pytest.raises(ArchitectureError, match=message):
        find("fresh", where="opt.yaml:3")


def test_one_that_became_stable_is_found_by_its_new_name(folder) -> None:
    with pytest.raises(ArchitectureError, match=r"but 'fresh', which .* write fresh"):
        find("experimental.fresh", [folder("fresh")])


@pytest.mark.parametrize("name", ["utils", "model", "soap_bpnn.model", "", ".", "..", "a/b"])
def test_a_name_that_is_not_an_architecture_is_refused(folder, name) -> None:
    own = folder("first").parent
    (own / "utils").mkdir()
    (own / "notes.txt").write_text("")
    with pytest.raises(ArchitectureError):
        find(name, [own])


def test_a_mistyped_name_gets_a_near_one(folder) -> None:
    own = folder("tensor_field").parent
    with pytest.raises(ArchitectureError, match=r"unknown .*; did you mean 'tensor_field'"):
        find("tensorfeild", [own])


def test_a_name_that_is_too_long_for_a_file_is_refused_like_any_other(folder) -> None:
    with pytest.raises(ArchitectureError, match="unknown architecture 'soooo"):
        find("s" + 5000 * "o", [folder("one").parent])
    with pytest.raises(ArchitectureError, match="is not a folder"):
        find("one", ["s" + 5000 * "o"])


def test_an_unknown_name_gets_the_known_ones(folder) -> None:
    own = folder("first").parent
    with pytest.raises(ArchitectureError, match=r"known are .*first.*; more are found through"):
        find("qqqqqqq", [own])


def test_a_folder_that_is_almost_an_architecture_is_reported(folder) -> None:
    path = folder("half", **{"default-hypers": None})
    message = "half is not an architecture: it lacks default-hypers.yaml"
    for given in (path, path.parent):
        with pytest.raises(ArchitectureError, match=message):
            find("half", [given])


def test_a_name_of_two_folders_names_both(folder, tmp_path) -> None:
    one, two = folder("twin"), folder("twin", parent=tmp_path / "other")
    other = folder("single", parent=tmp_path / "other")
    given = [one.parent, two.parent]
    with pytest.raises(ArchitectureError, match=f"two folders .*, {one} and {two}; rename one"):
        find("twin", given)
    assert find("single", given).folder == other


def test_a_folder_that_is_reached_by_two_ways_is_one(folder, monkeypatch) -> None:
    path = folder("first")
    monkeypatch.setenv(VARIABLE, f"{path}:{path.parent}")
    assert find("first", [path, path.parent / ".." / "own"]).problem == ""


def test_hidden_folders_and_caches_are_passed_over(folder) -> None:
    path = folder("first")
    folder(".hidden")
    folder("__pycache__")
    assert {".hidden", "__pycache__"}.isdisjoint(discover([path.parent]))


def test_what_an_architecture_needs_is_read_from_its_source(folder, install, tmp_path) -> None:
    declared = '__extra__ = "fast"\n__packages__ = ("absent_one", "json", "absent.two")\n'
    folder("needy", __init__=f"import absent_one\n{declared}")
    folder("plain", __init__='__packages__ = ("absent_one",)\n')
    folder("fitted", __init__='__packages__ = ("json", "ase.io")\n')
    folder("odd", __init__="__packages__ = [name for name in ()]\n__extra__ = 3\n")
    folder("broken", __init__="__packages__ = (\n")
    found = discover([tmp_path / "own"])
    assert found["needy"].missing == ("absent_one", "absent.two")
    assert found["needy"].install == "pip install 'mtt[fast]'"
    assert found["plain"].install == "pip install absent-one"
    for name in ("fitted", "odd", "broken"):
        assert (found[name].missing, found[name].install) == ((), "")
    folder("installed_needy", tmp_path, __init__=declared)
    install("thing", {"needy": "installed_needy"})
    assert find("needy").install == "pip install 'thing[fast]'"


def test_listing_imports_nothing_not_even_torch(folder) -> None:
    own = folder("first", __init__=BOOM).parent
    folder("second", __init__="def (:")
    folder("third", **{"default-hypers": "[: no yaml"})
    program = (
        "import sys; from mtt.registry import discover; found = discover([sys.argv[1]])\n"
        "print([(n, f.summary) for n, f in found.items() if f.origin == '--architectures'])\n"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(own)],
        capture_output=True, text=True, check=True, env=os.environ,
    )  # fmt: skip
    listing, torch_loaded = run.stdout.splitlines()
    summaries = {"first": "Breaks.", "second": "", "third": "Does nothing, in one line."}
    assert listing == str(list(summaries.items()))
    assert torch_loaded == "False"
