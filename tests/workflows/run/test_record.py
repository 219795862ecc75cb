"""The command of a run, in its folder."""

import json
from pathlib import Path

from mtt.workflows.run.record import RECORD, Command, recorded


def test_the_number_of_processes_is_part_of_the_command_that_resumes(tmp_path: Path) -> None:
    alone = Command("options.yaml", "/data/options.yaml", "/data")
    several = Command("options.yaml", "/data/options.yaml", "/data", nproc="2")
    for command, words in ((alone, ""), (several, " --nproc 2")):
        (tmp_path / RECORD).write_text(json.dumps(command.to_dict()))
        found = recorded(tmp_path)
        assert found == command
        assert found.resuming("auto") == f"mtt train options.yaml{words} --restart auto"
    assert "nproc" not in alone.to_dict()
