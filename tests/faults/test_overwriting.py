"""No command overwrites a file that it reads, under whatever name: it refuses before any work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt import evaluate, export, train
from mtt.cli.main import run
from mtt.errors import ConfigError

Refused = Callable[..., str]
Write = Callable[..., Path]

LINKS: dict[str, Callable[[Path, Path], Any]] = {
    "the same name": lambda file, name: file.rename(name),
    "a symbolic link": lambda file, name: name.symlink_to(file),
    "a hard link": lambda file, name: os.link(file, name),
    "a link to a link": lambda file, name: (
        Path("between").symlink_to(file),
        name.symlink_to("between"),
    ),
}


def finetune(tiny: dict[str, Any], source: str) -> dict[str, Any]:
    tiny["architecture"]["training"]["finetune"] = {"read_from": source}
    return tiny


def naming(message: str, *files: str) -> bool:
    """One problem of one output; it names both files."""
    return message.count("would replace") == 1 and all(file in message for file in files)


# ------------------------------------------------------------------ train


@pytest.mark.parametrize("link", LINKS)
def test_a_fine_tuning_never_replaces_its_source(
    tiny: dict[str, Any], write: Write, refused: Refused, trained: Path, link: str
) -> None:
    shutil.copyfile(trained / "model.ckpt", "source.ckpt")
    LINKS[link](Path("source.ckpt"), Path("model.ckpt"))
    source = "model.ckpt" if link == "the same name" else "source.ckpt"
    write(finetune(tiny, source))
    message = refused("train", "options.yaml")
    assert naming(message, "model.ckpt: the checkpoint would replace", source)
    assert "architecture.training.finetune.read_from" in message
    assert "such as -o model-2.pt" in message
    assert refused("train", "options.yaml", "--dry-run") == message
    assert "model.ckpt" in refused("train", "options.yaml", "-o", "./model")  # the suffix is added


@pytest.mark.parametrize("output", ["", ".", "..", "/"])
def test_an_output_without_a_name_is_refused(
    tiny: dict[str, Any], write: Write, refused: Refused, output: str
) -> None:
    write(tiny)
    message = refused("train", "options.yaml", "-o", output)
    assert message.endswith("is a folder; name a file: -o model.pt\n")


def test_a_restart_never_replaces_its_source(
    write: Write, tiny: dict[str, Any], refused: Refused, trained: Path, here: Path
) -> None:
    shutil.copytree(trained / "outputs", "outputs")
    shutil.copyfile(trained / "model.ckpt", "model.ckpt")
    write(tiny)
    message = refused("train", "options.yaml", "--restart", "model.ckpt")
    assert naming(message, "model.ckpt: the checkpoint would replace model.ckpt", "(--restart)")
    assert "-o model-2.pt" in message
    assert "--restart auto" in message
    (folder,) = here.glob("outputs/*/*/checkpoints")
    for source in ("auto", folder / "last.ckpt"):  # of all that it reads, none
        for name in ("last.pt", "best.pt"):
            assert naming(
                refused("train", "options.yaml", "--restart", source, "-o", folder / name),
                str(folder),
            )


@pytest.mark.parametrize(
    ("role", "change"),
    [
        ("training_set", lambda tiny: tiny.update(training_set="model.ckpt")),
        (
            "training_set.systems.read_from",
            lambda tiny: tiny["training_set"]["systems"].update(read_from="model.ckpt"),
        ),
        (
            "training_set.targets.energy.read_from",
            lambda tiny: tiny["training_set"]["targets"]["energy"].update(read_from="model.ckpt"),
        ),
        (
            "training_set.targets.energy.forces",
            lambda tiny: tiny["training_set"]["targets"]["energy"].update(forces="model.ckpt"),
        ),
        ("test_set.indices", lambda tiny: tiny.update(test_set={"indices": "model.ckpt"})),
    ],
)
def test_a_training_never_replaces_its_data(
    tiny: dict[str, Any],
    write: Write,
    refused: Refused,
    ethanol: Path,
    role: str,
    change: Callable[[dict[str, Any]], None],
) -> None:
    Path("data.xyz").write_text("3\n" if "indices" in role else ethanol.read_text())
    Path("model.ckpt").symlink_to("data.xyz")
    change(tiny)
    write(tiny)
    message = refused("train", "options.yaml")
    assert naming(message, "model.ckpt: the checkpoint would replace model.ckpt", role)
    assert "options.yaml:" in message


def test_a_training_replaces_neither_its_options_nor_packed_data(
    tiny: dict[str, Any], write: Write, refused: Refused, ethanol: Path, here: Path
) -> None:
    os.link(write(tiny), "model.pt")
    message = refused("train", "options.yaml")
    assert naming(message, "model.pt: the exported model would replace options.yaml, which is read")
    Path("model.pt").unlink()
    assert run(["data", "pack", str(ethanol), "-o", "packed"]) == 0
    tiny["training_set"]["systems"]["read_from"] = "packed"
    write(tiny)
    Path("link").symlink_to("packed")
    message = refused("train", "options.yaml", "-o", "link/model.pt")
    assert "link/model.pt: the exported model would be in packed, which is read" in message
    assert "link/model.ckpt: the checkpoint would be in packed" in message
    assert message.count("; name an output outside of packed") == 2


def test_two_outputs_are_never_one_file(
    tiny: dict[str, Any], write: Write, refused: Refused
) -> None:
    Path("model.pt").touch()
    Path("model.ckpt").symlink_to("model.pt")
    write(tiny)
    message = refused("train", "options.yaml")
    assert (
        "model.ckpt: the checkpoint and the exported model (model.pt) would be one file" in message
    )


def test_what_is_not_read_is_replaced_as_always(tiny: dict[str, Any], write: Write) -> None:
    for name in ("model.pt", "model.ckpt"):
        Path(name).write_text("of an older run")
    write(tiny)
    assert run(["train", "options.yaml", "--dry-run"]) == 0


# ------------------------------------------------------------------ the run folder, its copies


def test_a_restart_reads_nothing_that_its_run_writes_again(
    tiny: dict[str, Any], write: Write, trained: Path, here: Path, refused: Refused
) -> None:
    shutil.copytree(trained / "outputs", "outputs")
    (indices,) = here.glob("outputs/*/*/indices/test.txt")
    tiny["test_set"] = {"indices": str(indices)}
    write(tiny)
    message = refused("train", "options.yaml", "--restart", "auto")
    assert f"{indices}: is read (options.yaml:" in message
    assert "test_set.indices), and is in the folder of the run to restart; copy it" in message


@pytest.mark.parametrize("url", ["outputs", "file://{here}/outputs", "{here}/link"])
def test_copies_of_a_run_never_replace_the_run(
    tiny: dict[str, Any], write: Write, trained: Path, here: Path, refused: Refused, url: str
) -> None:
    shutil.copytree(trained / "outputs", "outputs")
    Path("link").symlink_to("outputs")
    write({**tiny, "remote": url.format(here=here)})
    assert "the copies would replace the files of the run itself" in refused(
        "train", "options.yaml"
    )
    message = refused("train", "options.yaml", "--restart", "auto")
    assert "a copy would replace its original" in message


def test_copies_of_a_run_never_replace_what_it_reads(
    tiny: dict[str, Any], write: Write, trained: Path, here: Path, refused: Refused
) -> None:
    shutil.copytree(trained / "outputs", "outputs")
    shutil.copytree(trained / "outputs", "copies")
    (indices,) = here.glob("copies/*/*/indices/test.txt")
    write({**tiny, "remote": "copies", "test_set": {"indices": str(indices)}})
    message = refused("train", "options.yaml", "--restart", "auto")
    assert f"remote copies: the copies would replace {indices}, which is read" in message


# ------------------------------------------------------------------ eval, export, pack


@pytest.mark.parametrize("link", LINKS)
def test_predictions_never_replace_what_is_read(
    write: Write, refused: Refused, trained: Path, ethanol: Path, link: str
) -> None:
    shutil.copyfile(ethanol, "data.xyz")
    LINKS[link](Path("data.xyz"), Path("out.xyz"))
    source = "out.xyz" if link == "the same name" else "data.xyz"
    model = trained / "model.ckpt"
    write({"systems": source}, "eval.yaml")
    message = refused("eval", model, "eval.yaml", "-o", "out.xyz")
    assert naming(message, f"out.xyz: the predictions would replace {source}", "eval.yaml:", "-o")
    other = {"energy": {"read_from": source}}
    write([{"systems": str(ethanol)}, {"systems": str(ethanol), "targets": other}], "eval.yaml")
    Path("out.xyz").rename("out_1.xyz")
    write([{"systems": source.replace("out", "out_1")}, {"systems": str(ethanol)}], "eval.yaml")
    assert naming(refused("eval", model, "eval.yaml", "-o", "out.xyz"), "out_1.xyz: ")


def test_predictions_never_replace_the_model_or_the_options(
    write: Write, refused: Refused, trained: Path, ethanol: Path
) -> None:
    write({"systems": str(ethanol)}, "eval.yaml")
    for name, link in (("model.pt", "model.xyz"), ("model.ckpt", "checkpoint.xyz")):
        shutil.copyfile(trained / name, name)
        Path(link).symlink_to(name)
        message = refused("eval", name, "eval.yaml", "-o", link)
        assert naming(message, f"{link}: the predictions would replace {name}", "(the model)")
    os.link("eval.yaml", "output.xyz")
    assert naming(refused("eval", "model.ckpt", "eval.yaml"), "output.xyz: ", "(the options)")
    with pytest.raises(ConfigError, match=r"out\.xyz: .* would replace out\.xyz, .*\(\[0\]\.sys"):
        shutil.copyfile(ethanol, "out.xyz")
        evaluate("model.ckpt", [{"systems": "out.xyz"}], output="out.xyz")


def test_an_export_never_replaces_what_is_read(
    write: Write, refused: Refused, trained: Path, here: Path
) -> None:
    metadata = write({"name": "a name"}, "metadata.yaml")
    shutil.copyfile(trained / "model.ckpt", "model.ckpt")
    message = refused("export", "model.ckpt", "-m", metadata, "-o", here / "model.ckpt")
    assert naming(message, "the checkpoint with new metadata would replace model.ckpt")
    for suffix, what in ((".pt", "the exported model"), (".zip", "the light archive")):
        Path(f"other{suffix}").symlink_to("model.ckpt")
        message = refused("export", "model.ckpt", "-o", f"other{suffix}")
        assert naming(message, f"other{suffix}: {what} would replace model.ckpt")
        os.link(metadata, f"third{suffix}")
        message = refused("export", "model.ckpt", "-m", metadata, "-o", f"third{suffix}")
        assert naming(message, "would replace metadata.yaml", "(the metadata)")
    Path("model.ckpt").rename("model.pt")  # the default output of a checkpoint of that name
    assert naming(refused("export", "model.pt"), "model.pt: ")
    with pytest.raises(ConfigError, match="which is read"):
        export("model.pt")


def test_packing_refuses_its_output_before_it_reads(refused: Refused, ethanol: Path) -> None:
    assert run(["data", "pack", str(ethanol), "-o", "packed"]) == 0
    Path("bad.xyz").write_text("no data")
    assert "packed: exists already" in refused("data", "pack", "bad.xyz", "-o", "packed")
    Path("dangling").symlink_to("nowhere")
    assert "dangling: exists already" in refused("data", "pack", "bad.xyz", "-o", "dangling")
    message = refused("data", "pack", "packed", "bad.xyz", "-o", "packed/more")
    assert "packed/more: the packed data set would be in packed, which is read" in message


def test_a_check_writes_nothing_and_refuses_no_output(
    tiny: dict[str, Any], write: Write, trained: Path
) -> None:
    shutil.copyfile(trained / "model.ckpt", "model.ckpt")
    write(finetune(tiny, "model.ckpt"))
    assert run(["check", "options.yaml"]) == 0
    with pytest.raises(ConfigError, match=r"model\.ckpt: the checkpoint would replace model\.ckpt"):
        train(finetune(tiny, "model.ckpt"))
