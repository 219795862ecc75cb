"""The example of the page "Logging" for services without a logger of the platform."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest


def test_the_service_of_the_page_gets_metrics_and_the_model(
    root: Path, tiny_options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (root / "docs" / "src" / "logging.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n([^`]*class Service:.*?)```", page, re.DOTALL)
    options = {**tiny_options, "loggers": [], "final_eval": False}
    (tmp_path / "options.yaml").write_text(json.dumps(options))
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "<page>", "exec"), {"__name__": "__main__"})
    lines = (tmp_path / "tracked" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == [1, 1, 2, 2]
    assert {"train/loss", "validation/forces RMSE"} <= set().union(*rows)
    assert (tmp_path / "tracked" / "closed").is_file()
    model = (tmp_path / "tracked" / "model.pt").read_bytes()
    assert model == (tmp_path / "model.pt").read_bytes()
