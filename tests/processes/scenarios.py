"""Pairs of processes that train together, of which one fails; run as a script.

``python scenarios.py FOLDER OPTIONS`` starts all pairs at once, and writes what each process
prints into ``FOLDER/<scenario>/<rank>/output.txt`` and how they end into ``FOLDER/ends.json``. All
are forked of this process: libraries are imported once.
"""

import atexit
import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"  # as the command does, before torch is imported

import torch._dynamo  # noqa: F401 - the optimizers do: once, before the processes are forked

import mtt.architectures.soap_bpnn
import mtt.processes.meeting
import mtt.workflows.train
from mtt.cli.main import run
from mtt.training.step import Step

TRAIN = ("train", "options.yaml")
SHORT = ("-r", "architecture.training.rank_timeout=15")

# scenario: the words of rank 0, and those of rank 1 where they are others
COMMANDS = {
    "ends well": [(*TRAIN, "--restart", "auto")],
    "rank 1 raises": [TRAIN],
    "rank 1 is killed": [TRAIN],
    "rank 0 is killed": [TRAIN],
    "rank 1 lacks memory": [TRAIN],
    "rank 1 hangs": [(*TRAIN, *SHORT)],
    "rank 1 is asked to stop": [TRAIN],
    "rank 1 has other weights": [TRAIN],
    "a wrong option": [(*TRAIN, "-r", "architecture.training.batch_sise=3")],
    "other options": [TRAIN, (*TRAIN, "-r", "architecture.training.batch_size=3")],
    "other data": [TRAIN],
    "missing data": [TRAIN],
    "rank 1 does not come": [TRAIN],
}


def fail(scenario):
    """What befalls the process in its second step."""
    if scenario.endswith("raises"):
        raise ValueError("the head of H is not there")
    if scenario.endswith("is killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if scenario.endswith("hangs"):
        time.sleep(600)
    if scenario.endswith("to stop"):
        os.kill(os.getpid(), signal.SIGTERM)


def make_faulty(scenario):
    """Let the second step of this process go wrong."""
    taken, whole, own = 0, Step.__call__, Step._own

    def call(self, *given):
        nonlocal taken
        taken += 1
        if taken == 2:
            fail(scenario)
        result = whole(self, *given)
        if taken == 2 and scenario.endswith("other weights"):
            next(self.model.parameters()).data[0] += 1e-9
        return result

    def part(self, *given):
        if taken == 2 and scenario.endswith("lacks memory"):
            raise MemoryError
        return own(self, *given)

    Step.__call__, Step._own = call, part


def started(scenario, rank, port, folder):
    """The number of a process that runs the command of a scenario."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.chdir(folder / scenario / str(rank))
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
        if scenario.startswith(f"rank {rank} "):
            make_faulty(scenario)
        if scenario.endswith("come"):
            mtt.processes.meeting.meet.__defaults__ = (2.0,)
        words = COMMANDS[scenario]
        code = run(words[min(rank, len(words) - 1)])
        atexit._run_exitfuncs()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def free_ports(n):
    """Ports below those that the system gives to the client side of a connection."""
    found, generator = [], random.Random(os.getpid())
    while len(found) < n:
        with socket.socket() as one:
            port = generator.randrange(20_000, 32_000)
            if port not in found and one.connect_ex(("localhost", port)):
                found.append(port)
    return found


def prepare(folder, options, scenario):
    """Where a process works, with the files that it needs; its data are others where asked."""
    folder.mkdir(parents=True)
    for file in options.parent.iterdir():
        (folder / file.name).symlink_to(file)
    if folder.name == "1" and scenario == "other data":
        changed = (folder / "ethanol.xyz").read_text().replace("-309", "-308", 1)
        (folder / "ethanol.xyz").unlink()
        (folder / "ethanol.xyz").write_text(changed)
    if folder.name == "1" and scenario == "missing data":
        (folder / "ethanol.xyz").unlink()


def main(folder, options):
    running, ends = {}, {}
    for scenario, port in zip(COMMANDS, free_ports(len(COMMANDS)), strict=True):
        for rank in (0,) if scenario.endswith("come") else (0, 1):
            prepare(folder / scenario / str(rank), options, scenario)
            running[started(scenario, rank, port, folder)] = scenario, rank
    start = time.monotonic()
    while running:
        child, status = os.wait()
        scenario, rank = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        ends.setdefault(scenario, {})[rank] = [code, time.monotonic() - start]
    (folder / "ends.json").write_text(json.dumps(ends))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
