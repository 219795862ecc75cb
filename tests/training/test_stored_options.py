"""The stored schema and defaults are those that the definitions give."""

import json

import yaml

from mtt.training import default_hypers, training_schema
from mtt.training.stored_options import contents

RETIRED = {"num_workers", "log_separate_blocks", "distributed", "distributed_port"}


def test_the_stored_files_are_generated():
    generated = contents()
    schema = json.loads(generated["schema-hypers.json"])
    defaults = yaml.safe_load(generated["default-hypers.yaml"])
    stored = training_schema()
    for name in RETIRED:
        del stored["properties"][name]
    stored["properties"]["optimizer"].pop("description")
    schema["properties"]["optimizer"].pop("description")
    assert schema == stored
    assert defaults == {k: v for k, v in default_hypers().items() if k not in RETIRED}
