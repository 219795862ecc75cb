"""``loggers``, ``tensorboard``, ``wandb``, ``mlflow``, ``aim`` and ``remote``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.options import Options, load_options, resolve

REST = "architecture: {name: soap_bpnn}\ntraining_set: a.xyz\nvalidation_set: 0.1\nseed: 1\n"
Reader = Callable[..., Options]
Refused = Callable[..., list[str]]


def logging_of(options: Options) -> tuple[Any, ...]:
    return (
        options.loggers,
        options.tensorboard,
        options.wandb,
        options.mlflow,
        options.aim,
        options.remote,
    )


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", (("line", "csv", "history"), None, None, None, None, None)),
        (
            "loggers: null\ntensorboard: null\nwandb: null\nremote: null\n",
            (("line", "csv", "history"), None, None, None, None, None),
        ),
        # metatrain writes "off" as an empty mapping
        ("loggers: []\ntensorboard: false\nwandb: {}\n", ((), None, None, None, None, None)),
        (
            "tensorboard: true\nwandb: true\nmlflow: true\naim: true\n",
            (("line", "csv", "history"), {}, {}, {}, {}, None),
        ),
        (
            "loggers: [table]\ntensorboard: {log_dir: runs}\n"
            "wandb: {project: water, mode: offline, tags: [a, b]}\n"
            "mlflow: {tracking_uri: 'sqlite:///mlflow.db', tags: {system: water}}\n"
            "aim: {repo: runs, tags: [water]}\nremote: s3://bucket/water\n",
            (
                ("table",),
                {"log_dir": "runs"},
                {"project": "water", "mode": "offline", "tags": ["a", "b"]},
                {"tracking_uri": "sqlite:///mlflow.db", "tags": {"system": "water"}},
                {"repo": "runs", "tags": ["water"]},
                "s3://bucket/water",
            ),
        ),
    ],
)
def test_logging_options_mean_the_same_when_they_are_written_out(
    read: Reader, toy: Any, text: str, meaning: tuple[Any, ...]
) -> None:
    options = read(text + REST)
    assert logging_of(options) == meaning
    assert resolve(load_options(options.to_dict()), toy) == options
    assert read(options.to_yaml()) == options


def test_the_examples_of_the_page_are_valid(read: Reader, root: Path) -> None:
    page = (root / "docs" / "src" / "logging.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(examples) == 6
    assert read(examples[0] + REST) == read(REST)  # "these are the defaults"
    for example in examples:
        read(example + REST)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loggers: line", "expected a list or null, got the text 'line'"),
        ("loggers: [line, line]", "loggers"),
        ("tensorboard: {logdir: runs}", "unknown key; did you mean 'log_dir'?"),
        ("wandb: water", "expected true or false, a mapping or null, got the text 'water'"),
        ("wandb: {mode: ofline}", "did you mean 'offline'?"),
        ("mlflow: {experment: water}", "unknown key; did you mean 'experiment'?"),
        ("mlflow: {artifacts: 3}", "expected true or false or null, got 3"),
        ("aim: {experment: runs}", "unknown key; did you mean 'experiment'?"),
        ("aim: {tags: water}", "expected a list or null, got the text 'water'"),
        ("remote: 3", "expected text or null, got 3"),
    ],
)
def test_logging_options_of_another_form_are_refused(
    refused: Refused, text: str, message: str
) -> None:
    (line,) = refused(f"{text}\n{REST}")
    assert line.startswith("options.yaml:1 ")
    assert message in line
