# SPDX-License-Identifier: Apache-2.0
"""Clients of the control plane's API, one for each token that a run was given."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import click
import httpx


@contextlib.contextmanager
def api_clients(
    url: str | None, token_files: tuple[Path | None, ...], ca: Path | None
) -> Iterator[tuple[httpx.Client | None, ...]]:
    """Give a client for each of `token_files`, None where there is none. Raises UsageError for a URL without any."""
    if (url is None) != (not any(token_files)):
        raise click.UsageError("--api needs --api-token-file or --operator-token-file, and they need --api")
    with contextlib.ExitStack() as stack:
        yield tuple(
            None if url is None or file is None else stack.enter_context(_client(url, file, ca)) for file in token_files
        )


def _client(url: str, token_file: Path, ca: Path | None) -> httpx.Client:
    token = token_file.read_text(errors="replace").strip()
    if not (token and token.isascii() and token.isprintable()):
        raise click.UsageError(f"{token_file} holds no token")
    verify = ssl.create_default_context(cafile=ca)
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, verify=verify, timeout=30)
