"""Files of the Hugging Face hub, by its own client and in its own cache."""

from __future__ import annotations

import contextlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from mtt.errors import CheckpointError, did_you_mean
from mtt.fetching.address import HubFile, parse_hub

OLDEST = (0, 30)
"""The first version of huggingface_hub that is known to work; also in pyproject.toml."""
_INSTALL = "pip install 'mtt[hub]'"


def download(url: str, token: str | None) -> Path:
    """The file at ``hf://owner/repo@revision/file``, in the cache of huggingface_hub.

    :param token: by default that of ``HF_TOKEN``, or of ``hf auth login``.
    :raises CheckpointError: the package is missing or too old, or the file cannot be had; the
        message says what to do.
    """
    one = parse_hub(url)
    _check_package(url, one)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(hf_hub_download(one.repo, one.file, revision=one.revision, token=token))
    except LocalEntryNotFoundError as error:  # also an EntryNotFoundError
        what = "the Hugging Face hub cannot be reached, and there is no copy in its cache"
        hint = "is this machine online, and is HF_HUB_OFFLINE unset?"
        raise CheckpointError(what, where=url, hint=hint) from error
    except GatedRepoError as error:
        hint = f"accept its licence at huggingface.co/{one.repo}, then give --token or HF_TOKEN"
        raise CheckpointError("the repository is gated", where=url, hint=hint) from error
    except RepositoryNotFoundError as error:
        hint = "check its name; a private one needs --token or HF_TOKEN"
        raise CheckpointError(f"there is no repository {one.repo}", where=url, hint=hint) from error
    except RevisionNotFoundError as error:
        what = f"{one.repo} has no branch, tag or commit {one.revision!r}"
        raise CheckpointError(what, where=url) from error
    except EntryNotFoundError as error:
        what = f"{one.repo} has no file {one.file!r}"
        raise CheckpointError(what, where=url, hint=_near(one, token)) from error
    except HFValidationError as error:
        raise CheckpointError(f"is not a name on the hub: {error}", where=url) from error
    except Exception as error:  # of its HTTP client too, which is another one in every version
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"cannot be downloaded: {said}", where=url) from error


def _check_package(url: str, one: HubFile) -> None:
    if find_spec("huggingface_hub") is None:
        plain = f"https://huggingface.co/{one.repo}/resolve/{one.revision or 'main'}/{one.file}"
        raise CheckpointError(
            "this needs the package huggingface_hub, which is not installed",
            where=url,
            hint=f"{_INSTALL}; or give the address of the file, {plain}",
        )
    found = version("huggingface_hub")
    if tuple(int(part) for part in found.split(".")[:2] if part.isdecimal()) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise CheckpointError(
            f"huggingface_hub {found} is installed, but {oldest} or later is needed",
            where=url,
            hint=_INSTALL,
        )


def _near(one: HubFile, token: str | None) -> str:
    """Which file may have been meant."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    with contextlib.suppress(HfHubHTTPError, OSError):
        known = HfApi().list_repo_files(one.repo, revision=one.revision, token=token)
        models = [name for name in known if name.endswith((".ckpt", ".pt", ".zip"))]
        more = f"it has {', '.join(models[:10])}" if models else ""
        return did_you_mean(one.file, known) or more
    return ""
