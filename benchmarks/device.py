"""What a GPU does with a training: does it wait, is it right, how fast is it, beside others?

    python benchmarks/device.py [--device cuda] [--minutes 4] [--out device]
    python benchmarks/device.py --device cpu --short      # a dry run of all parts

Parts, in this order, as far as the time suffices:

waits    steps of each architecture with torch.cuda.set_sync_debug_mode("error"): the host may wait
         for the GPU in the finite guard alone
tests    the tests of this repository that need a GPU
speed    structures/s and ms of a training step (energies and forces, Adam): density_messages in two
         sizes, as written and compiled, in float32, TF32 and bfloat16, with the peak of the memory
peers    the same steps of nequip and mace, in the environments given or in this one; those that are
         not installed are named

Results go to OUT.json and, as a table, to OUT.md; neither is overwritten. The data are those of
``setting.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ase.io
import torch
from device_checks import tests, waits
from device_run import PRECISIONS, SHORT, SIZES, Run, make, steps
from setting import machine, structures

from mtt.training.numerics.precision import tf32

PEERS = ("nequip", "mace")


def speed(run: Run) -> None:
    """One row for each size, precision and way to evaluate, as far as the time suffices."""
    rows = run.results.setdefault("speed", [])
    for size, way, precision in itertools.product(SIZES, ("eager", "compiled"), PRECISIONS):
        row: dict[str, Any] = {"program": "mtt", "size": size, "way": way, "precision": precision}
        rows.append(row)
        training = {**PRECISIONS[precision], **({"compile": True} if way == "compiled" else {})}
        if way == "compiled" and precision == "bfloat16":
            row["left out"] = "mixed precision is not compiled"
        elif run.left < (90 if way == "compiled" else 15):
            row["left out"] = "no time"
        else:
            try:
                row |= measured(run, size, training)
            except Exception as error:  # noqa: BLE001 - one row must not lose the others
                row["left out"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        print(row, flush=True)


def measured(run: Run, size: str, training: dict[str, Any]) -> dict[str, Any]:
    """Structures/s, median ms of a step, peak MB, and seconds until the first steps were done."""
    cuda = run.device.type == "cuda"
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(run.device)
    start = time.perf_counter()
    stage = make(run, "density_messages", (SHORT if run.short else SIZES)[size], training)
    taken = steps(stage)
    with tf32(bool(training.get("tf32")), run.device):
        for _ in range(5):
            next(taken)
        run.synchronize()
        first = time.perf_counter() - start
        times, done = [], 0.0
        while sum(times) < run.seconds and len(times) < 2000:
            before = time.perf_counter()
            done += next(taken)  # its guard waits for the device
            times.append(time.perf_counter() - before)
        run.synchronize()
    found = {
        "weights": sum(p.numel() for p in stage.step.model.parameters()),
        "structures/s": done / sum(times),
        "ms": 1e3 * statistics.median(times),
        "first steps s": first,
    }
    return found | ({"peak MB": torch.cuda.max_memory_allocated(run.device) / 1e6} if cuda else {})


def peers(run: Run, environments: dict[str, Path]) -> None:
    """The rows of nequip and mace, measured by ``device_peer.py`` where they are installed."""
    rows = run.results.setdefault("speed", [])
    for name in PEERS:
        row: dict[str, Any] = {"program": name, "size": "small", "way": "eager"}
        rows.append(row)
        python = environments[name] / "bin" / "python" if name in environments else None
        if python is None and importlib.util.find_spec(name) is not None:
            python = Path(sys.executable)
        if python is None or run.left < 20:
            row["left out"] = "not installed" if python is None else "no time"
        else:
            row |= peer(run, name, python)
        print(row, flush=True)


def peer(run: Run, name: str, python: Path) -> dict[str, Any]:
    """One row, of a process that imports nothing of mtt."""
    given = {
        "name": name,
        "device": str(run.device),
        "batch_size": run.batch_size,
        "seconds": run.seconds,
        "frames": [
            {"numbers": one.numbers.tolist(), "positions": one.positions.tolist()}
            for one in run.frames[: 10 * run.batch_size]
        ],
    }
    script = Path(__file__).parent / "device_peer.py"
    try:
        done = subprocess.run(
            [str(python), str(script)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=max(run.left - 5, 15),
        )
    except subprocess.TimeoutExpired:
        return {"left out": "no time"}
    if done.returncode:
        return {"left out": f"failed: {(done.stderr.strip().splitlines() or ['?'])[-1][:200]}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


COLUMNS = ("program", "size", "way", "precision", "weights")
FIGURES = {"structures/s": ".0f", "ms": ".1f", "peak MB": ".0f", "first steps s": ".0f"}


def table(results: dict[str, Any]) -> str:
    """Everything as Markdown."""
    lines = [f"# A training on {results['device']}", "", results["machine"], ""]
    lines += [f"{results['batch']}; {results['date']}", ""]
    lines += ["| architecture | the host waits |", "|---|---|"]
    lines += [f"| {name} | {what} |" for name, what in results.get("waits", {}).items()]
    lines += ["", f"Tests: {results.get('tests', 'not run')}", ""]
    heads = [*COLUMNS, *FIGURES]
    lines += [f"| {' | '.join(heads)} | |", "|---" * (len(heads) + 1) + "|"]
    for row in results.get("speed", []):
        cells = [str(row.get(name, "")) for name in COLUMNS]
        cells += [format(row[k], how) if k in row else "" for k, how in FIGURES.items()]
        lines.append(f"| {' | '.join(cells)} | {row.get('left out', '')} |")
    return "\n".join(lines) + "\n"


def described(device: torch.device) -> str:
    if device.type != "cuda":
        return f"{device.type}, {platform.machine()}"
    name, memory = torch.cuda.get_device_name(device), torch.cuda.mem_get_info(device)[1]
    return f"{device} ({name}, {memory / 2**30:.0f} GiB, CUDA {torch.version.cuda})"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--short", action="store_true", help="small models, little time: a dry run")
    parser.add_argument("--minutes", type=float, default=4.0, help="of all parts together")
    parser.add_argument("--batch-size", type=int, default=None, help="256; 8 with --short")
    parser.add_argument("--only", nargs="+", default=["waits", "tests", "speed", "peers"])
    parser.add_argument("--environment", action="append", default=[], metavar="mace=/path")
    parser.add_argument("--out", type=Path, default=Path("device"), help="without a suffix")
    return parser.parse_args()


def main() -> None:
    given, start = arguments(), time.monotonic()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device; try --device cpu --short")
    outputs = [given.out.with_suffix(suffix) for suffix in (".json", ".md")]
    for path in outputs:
        if path.exists():
            raise SystemExit(f"{path} exists already")
    path, what = structures()
    size = given.batch_size or (8 if given.short else 256)
    frames = ase.io.read(path, f":{40 if given.short else 500}")
    frames = frames if len(frames) >= 4 * size else frames * (4 * size // len(frames) + 1)
    run = Run(device, frames, size, start + 60 * given.minutes, given.short)
    run.results |= {
        "device": described(device),
        "machine": machine(),
        "batch": f"batches of {size} structures of {what}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    environments = {
        name: Path(path) for name, _, path in (e.partition("=") for e in given.environment)
    }
    parts = {"waits": waits, "tests": tests, "speed": speed}
    for name in given.only:
        if name == "peers":
            peers(run, environments)
        else:
            parts[name](run)
        print(f"{name}: {time.monotonic() - start:.0f} s so far", flush=True)
    outputs[0].write_text(json.dumps(run.results, indent=1) + "\n", encoding="utf-8")
    outputs[1].write_text(table(run.results), encoding="utf-8")
    print(outputs[1].read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
