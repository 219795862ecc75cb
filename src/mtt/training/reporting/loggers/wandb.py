"""a run of Weights & Biases, online or offline."""

from __future__ import annotations

import inspect
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtt.errors import Problem, TrainingError, did_you_mean
from mtt.training.reporting.logger_kind import LoggerKind, missing_extra, run_name
from mtt.training.reporting.tags import tags

logger = logging.getLogger(__name__)

ID = "wandb.id"
"""File of the run folder with the id of the wandb run, which a restart continues."""

FILLED = ("config", "dir")
"""Arguments of ``wandb.init`` that are ours."""


class WandbLogger:
    """Logs every epoch; a restarted run continues its curves.

    :param folder: the run folder; wandb keeps its files below it.
    :param settings: arguments of ``wandb.init``.
    :param config: the options of the run, shown as its configuration.
    :raises TrainingError: wandb cannot start the run.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], config: Mapping[str, Any]
    ) -> None:
        import wandb

        known = folder / ID
        self._is_new = not known.is_file()
        if self._is_new:
            known.write_text(settings.get("id") or secrets.token_hex(4), encoding="utf-8")
        arguments = {
            "dir": str(folder),
            **({} if self._is_new else {"resume": "allow"}),
            **settings,
            "id": known.read_text(encoding="utf-8").strip(),
            "config": dict(config),
            # train.log holds the output; wandb need not wrap the terminal for it
            "settings": {"console": "off", **(settings.get("settings") or {})},
        }
        try:
            self._run = wandb.init(**arguments)
        except (wandb.errors.Error, ValueError) as error:  # the latter of a wrong argument
            raise TrainingError(
                f"Weights & Biases does not start ({error})",
                where="wandb",
                hint="log in with `wandb login`, or set wandb.mode: offline",
            ) from error
        self._ended = False
        self._epoch = 0
        if self._run.url:
            logger.info("Weights & Biases: %s", self._run.url)

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        # what belongs to no epoch is logged at the last one: a further step would be one
        # that a restart cannot log any more
        self._epoch = max(self._epoch, epoch)
        if category == "run_start" and self._is_new:
            for row in values["history"]:
                self._run.log(tags(row, values["units"]), step=int(row["epoch"]))
        elif category == "epoch":
            numbers = tags(values["metrics"], values["units"])
            self._run.log(numbers, step=epoch)
            if values["is_best"]:
                best = {f"best/{tag}": number for tag, number in numbers.items()}
                self._run.summary.update({"best/epoch": epoch, **best})
        elif category == "system":
            rates = {name: v for name, v in values["metrics"].items() if name != "seconds"}
            self._run.log(tags(rates, values["units"], "system"), step=epoch)
        elif category == "test":
            self._run.summary.update(tags(values["metrics"], values["units"], "test"))
        elif category == "end":
            self._ended = True

    def keep_file(self, path: Path) -> None:
        """Show a page, such as a report; a model is not uploaded."""
        if path.suffix == ".html":
            import wandb

            with path.open(encoding="utf-8") as page:
                self._run.log({path.stem: wandb.Html(page)}, step=self._epoch)

    def keep_figure(self, path: Path) -> None:
        """Show a picture of the report at the last epoch."""
        import wandb

        self._run.log({f"report/{path.stem}": wandb.Image(str(path))}, step=self._epoch)

    def close(self) -> None:
        """Complete the run; one that did not reach its end is marked as failed."""
        self._run.finish(exit_code=0 if self._ended else 1)


def make(folder: Path, options: Mapping[str, Any]) -> WandbLogger:
    """With the settings of the option, called like the run."""
    settings = options["wandb"] if isinstance(options["wandb"], Mapping) else {}
    return WandbLogger(folder, {"name": run_name(folder), **settings}, options)


def problems(settings: Any) -> list[Problem]:
    """Whether wandb is installed, and takes these arguments."""
    missing = missing_extra("wandb", "wandb", "wandb")
    if missing:
        return missing
    import wandb

    known = [name for name in inspect.signature(wandb.init).parameters if name not in FILLED]
    found = []
    for name in settings if isinstance(settings, Mapping) else ():
        if name in FILLED:
            found.append(Problem("this is filled by mtt", f"wandb.{name}", "leave it out"))
        elif name not in known:
            what, hint = "wandb.init has no such argument", did_you_mean(name, known)
            found.append(Problem(what, f"wandb.{name}", hint))
    return found


LOGGER = LoggerKind(make, has_option=True, problems=problems)
