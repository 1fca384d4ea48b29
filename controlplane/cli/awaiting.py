# SPDX-License-Identifier: Apache-2.0
"""Wait for a long job and fetch its result, with a bar for each where somebody watches."""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from controlplane.cli.shared import segment
from controlplane.client import ApiClient

_FIRST_LOOK_S: Final = 0.1
_LATER_LOOKS_S: Final = 1.0
_UNFINISHED: Final = frozenset({"pending", "running"})


def result_of(api: ApiClient, operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation once it has succeeded. Ctrl-C cancels it. Raises ClickException where it has not."""
    path = f"/v1/operations/{segment(operation['id'])}"
    shown, wait_s = dict(operation), _FIRST_LOOK_S
    try:
        with _bar(TaskProgressColumn(), TimeRemainingColumn()) as progress:
            task = progress.add_task("waiting", total=None)
            while shown["state"] in _UNFINISHED:
                time.sleep(wait_s)
                wait_s = min(wait_s * 1.5, _LATER_LOOKS_S)
                shown = api.get(path).body
                done = shown["progress"]
                progress.update(task, description=shown["state"], completed=done["done"], total=done["total"] or None)
    except KeyboardInterrupt:
        api.post(f"{path}:cancel")
        raise
    if shown["state"] != "succeeded":
        error = shown["error"] or {"code": shown["state"], "detail": "It did not run to its end."}
        raise click.ClickException(f"{shown['id']} is {shown['state']}: {error['code']}: {error['detail']}")
    return shown


def fetch(api: ApiClient, operation: Mapping[str, Any], file: Path) -> None:
    """Put the result at `file`, whole or not at all. Raises ClickException where its bytes are not what was made."""
    result = operation["result"]
    digest = hashlib.sha256()
    try:
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as exc:
        raise click.ClickException(f"{file.parent} cannot be written to ({exc.strerror})") from exc
    try:
        with os.fdopen(descriptor, "wb") as begun, api.stream(result["href"]) as pieces:
            with _bar(DownloadColumn()) as progress:
                task = progress.add_task("fetching", total=result["size_bytes"])
                for piece in pieces:
                    begun.write(piece)
                    digest.update(piece)
                    progress.advance(task, len(piece))
            begun.flush()
            os.fsync(begun.fileno())
        if f"sha256:{digest.hexdigest()}" != result["digest"]:
            raise click.ClickException("what arrived is not what was made: its digest differs. Nothing was kept.")
        Path(temporary).replace(file)
    except OSError as exc:
        raise click.ClickException(f"{file} cannot be written ({exc.strerror})") from exc
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def _bar(*columns: Any) -> Iterator[Progress]:
    # On standard error, which results never share; nothing at all where that is no terminal.
    console = Console(stderr=True, highlight=False)
    text = TextColumn("{task.description}")
    with Progress(text, BarColumn(), *columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        yield bar
