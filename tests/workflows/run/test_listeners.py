"""From options to what writes a run down."""

from __future__ import annotations

import json
import logging
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mtt import train
from mtt.errors import ConfigError
from mtt.options import load_options, resolve
from mtt.ranks import SerialRanks
from mtt.registry import find
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.listeners import check_listeners, make_events

Fit = Callable[..., RunFolder]
Seen = list[tuple[str, int]]


@pytest.fixture
def options_of(tiny: dict[str, Any]) -> Callable[..., Any]:
    """The options of a tiny run, with some of its own."""

    def options_of(**own: Any) -> Any:
        return resolve(load_options({**tiny, **own}), find("soap_bpnn").load())

    return options_of


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with the loggers ``lamp`` and ``broken``."""
    info = tmp_path / "site" / "lamp-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mtt.loggers]\nlamp = lamp_logger:make\nbroken = lamp_logger:nothing\n"
    )
    (tmp_path / "site" / "lamp_logger.py").write_text(
        "def make(folder, options):\n"
        "    def lamp(category, values, epoch):\n"
        "        with open(folder / 'lamp.txt', 'a') as file:\n"
        "            file.write(f'{options[\"seed\"]} {category}\\n')\n"
        "    return lamp\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


def test_every_event_comes_once_and_in_order(tiny: dict[str, Any]) -> None:
    events: Seen = []
    tiny["architecture"]["training"].update(num_epochs=2, batch_size=7)  # two batches
    train(tiny, listeners=[lambda category, values, epoch: events.append((category, epoch))])
    # whether an epoch is best is up to the numbers
    told = [event for event in events if event[0] not in ("best", "checkpoint")]
    best = events[-1][1]
    of_an_epoch = ["progress", "progress", "train", "validation", "system", "epoch"]
    assert told == [
        *[("statistics", 0)] * 3,
        ("run_start", 0),
        *[(category, 1) for category in of_an_epoch],
        *[(category, 2) for category in of_an_epoch],
        ("end", 2),
        *[("evaluation", best)] * 3,
        ("test", best),
    ]
    assert events[-6] == ("checkpoint", 2)
    saved = events.index(("best", best))
    assert events[saved - 1] == ("checkpoint", best)
    assert saved < events.index(("epoch", best))


def test_errors_on_the_test_set_are_reported_with_names_and_units(tiny: dict[str, Any]) -> None:
    told: list[Mapping[str, Any]] = []
    result = train(tiny, listeners=[lambda c, v, e: c == "test" and told.append(v)])  # type: ignore[func-returns-value]
    (values,) = told
    assert values["units"]["forces RMSE"] == "meV/Å"
    errors = result.reports["test"].errors
    assert values["metrics"]["forces RMSE"] == pytest.approx(1e3 * errors["forces RMSE"])


def test_the_loggers_of_the_options_are_those_that_write(
    tiny: dict[str, Any], fit: Fit, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "mtt"):
        folder = fit({**tiny, "loggers": ["history"]})
    assert not (folder.path / "train.csv").exists()
    assert len((folder.path / "history.jsonl").read_text().splitlines()) == 2
    assert not any("epoch 1/2" in message for message in caplog.messages)


def test_an_entry_point_is_a_logger(tiny: dict[str, Any], fit: Fit, plugin: None) -> None:
    folder = fit({**tiny, "loggers": ["lamp"]})
    lines = (folder.path / "lamp.txt").read_text().splitlines()
    assert lines[0] == f"{tiny['seed']} run_start"
    assert lines.count(f"{tiny['seed']} epoch") == 2


def test_a_listener_that_raises_at_the_end_does_not_cost_the_model(
    tiny: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def broken(category: str, values: Mapping[str, Any], epoch: int) -> None:
        calls.append(category)
        if category == "evaluation":
            raise RuntimeError("no display")

    result = train(tiny, listeners=[broken])
    assert calls.count("evaluation") == 1
    assert "switched off" in caplog.text
    assert result.model is not None
    assert result.model.is_file()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"loggers": ["lines"]}, "loggers: unknown logger 'lines'; did you mean 'line'?"),
        ({"loggers": ["wandb"]}, "'wandb' is not chosen here; write 'wandb: true' beside loggers"),
        ({"loggers": ["broken"]}, "the logger 'broken' cannot be loaded"),
        ({"wandb": {"projct": "x"}}, r"wandb.projct: .* did you mean 'project'?"),
        ({"wandb": {"config": {}}}, "wandb.config: this is filled by mtt; leave it out"),
        ({"remote": "memry://x"}, "remote: Protocol not known: memry; did you mean 'memory'?"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_written(
    tiny: dict[str, Any], here: Path, plugin: None, own: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        train({**tiny, **own})
    assert not (here / "outputs").exists()


@pytest.mark.parametrize("option", ["tensorboard", "wandb", "mlflow", "aim", "remote"])
def test_a_missing_package_is_reported_with_its_extra(
    options_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("mtt.training.reporting.logger_kind.find_spec", lambda name: None)
    value = "s3://bucket" if option == "remote" else True
    with pytest.raises(ConfigError, match=rf"{option}: .*pip install 'mtt\[{option}\]'"):
        check_listeners(options_of(**{option: value}))


def test_a_whole_run_is_copied_below_a_separate_folder(tiny: dict[str, Any], here: Path) -> None:
    options = {**tiny, "remote": f"file://{here}/there", "tensorboard": True, "report": True}
    result = train(options)
    folder = result.directory
    assert folder is not None
    copy = here / "there" / Path(*folder.parts[-2:])

    def files(root: Path) -> dict[Path, bytes]:
        found = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root): path.read_bytes() for path in found}

    kept, copied = files(folder), files(copy)
    # the log goes on while the last files are copied
    log = Path("train.log")
    assert kept.pop(log).startswith(copied.pop(log))
    assert copied == kept
    assert {"model.pt", "model.ckpt", "tensorboard"} <= {path.parts[0] for path in copied}
    figures = [path for path in copied if path.parts[0] == "figures"]
    assert {path.stem for path in figures} == {"learning-curves", "parity-energy", "parity-forces"}
    (events,) = (content for path, content in copied.items() if "tfevents" in path.name)
    assert all(f"report/{path.stem}".encode() in events for path in figures)


def test_what_a_stopped_run_wrote_is_copied_too(tiny: dict[str, Any], here: Path) -> None:
    def stop(category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train({**tiny, "tensorboard": True, "remote": f"file://{here}/there"}, listeners=[stop])
    assert any((here / "there").rglob("events.out.tfevents.*"))
    (history,) = (here / "there").rglob("history.jsonl")
    assert json.loads(history.read_text())["epoch"] == 1
    # the log of a run says what decides the behaviour of its model
    assert "'cutoff': {'radius': 2.5" in history.with_name("train.log").read_text()


def test_wandb_offline_holds_the_history_of_a_run_and_of_its_restart(
    options_of: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    units = {"epoch": "", "training loss": "", "validation forces RMSE": "eV/Å"}
    rows = [dict(zip(units, (i, 0.5**i, 2.0**i), strict=True)) for i in (1, 2, 3)]
    options = options_of(loggers=[], wandb={"mode": "offline", "project": "water"})
    for known in (0, 2):
        time.sleep(1.0 if known else 0.0)  # wandb names folders by the second
        events = make_events(options, tmp_path, (), SerialRanks())
        events("run_start", known, history=tuple(rows[:known]), units=units)
        for row in rows[known : known + 2]:
            events("epoch", row["epoch"], metrics=row, units=units, is_best=row["epoch"] == 3)
        if known:  # the first run is stopped
            events("end", 3)
            (tmp_path / "report.html").write_text("<p>well</p>")
            events.keep_file(tmp_path / "report.html")
            Image.new("RGB", (40, 30)).save(tmp_path / "parity.png")
            assert events.show_figures
            events.keep_figure(tmp_path / "parity.png")
            events.keep_file(tmp_path / "model.pt")  # which is not there, and not asked for
        events("test", 3, metrics={"energy RMSE": 7.0}, units={"energy RMSE": "meV"})
        events.close()
    first, second = sorted((tmp_path / "wandb").glob("offline-run-*"))
    name = (tmp_path / "wandb.id").read_text()
    assert first.name.endswith(name)
    assert second.name.endswith(name)
    history, summary, config, failed = stored(first)
    assert failed
    forces = "validation/forces RMSE [eV/Å]"
    assert [(row["_step"], row["training/loss"], row[forces]) for row in history] == [
        (1, 0.5, 2.0),
        (2, 0.25, 4.0),
    ]
    assert summary["test/energy RMSE [meV]"] == 7.0
    assert config["architecture"]["name"] == "soap_bpnn"
    history, summary, _, failed = stored(second)
    assert not failed
    assert [row["_step"] for row in history] == [3]
    assert summary["best/epoch"] == 3
    (page,) = (second / "files").rglob("*.html")
    assert "<p>well</p>" in page.read_text()
    assert len([*(second / "files").rglob("*parity*.png")]) == 1


def stored(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any], bool]:
    """History, summary, configuration, and whether the run failed, from an offline run's file."""
    history, summary, config = [], {}, {}

    def values(items: Any) -> dict[str, Any]:
        return {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}

    for record in complete(folder):
        if record.HasField("history"):
            history.append(values(record.history.item))
        summary |= values(record.summary.update)
        config |= values(record.run.config.update)
        if record.HasField("exit"):
            exit_code = record.exit.exit_code
    return history, summary, config, bool(exit_code)


def complete(folder: Path, seconds: float = 60.0) -> list[Any]:
    """All records; wandb's own process may write the last ones a little after the run's end."""
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("*.wandb")
    end = time.monotonic() + seconds
    while True:
        found = []
        for data in records(path.read_bytes()):
            found.append(wandb_internal_pb2.Record())
            found[-1].ParseFromString(data)
        if any(record.HasField("exit") for record in found):
            return found
        assert time.monotonic() < end, f"{path} has no end after {seconds} s"
        time.sleep(0.05)


def records(data: bytes, block: int = 2**15) -> Iterator[bytes]:
    """Records of LevelDB's log format, after 7 bytes of wandb's own.

    A record is cut at the ends of blocks; each piece begins with its checksum (4 bytes), its
    length (2) and its kind (1: whole, 2: first, 3: middle, 4: last). A record that is not
    whole yet ends the file.
    """
    place, whole = 7, b""
    while place < len(data):
        if block - place % block < 7:  # too short for a piece: padding
            place += block - place % block
            continue
        if place + 7 > len(data):
            return
        length, kind = struct.unpack_from("<HB", data, place + 4)
        if place + 7 + length > len(data):
            return
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""
