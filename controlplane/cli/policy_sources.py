# SPDX-License-Identifier: Apache-2.0
"""What the commands about policies share: the files they take, the engine they ask, how they say what is wrong."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from controlplane.cli.shared import complain, show_json
from controlplane.local.opa_binary import TOOLS, find_opa
from policies.contracts.errors import Diagnostic, PolicyRejected

if TYPE_CHECKING:
    from controlplane.services.rego_engines import RegoEngines

_SUFFIXES: Final = (".yaml", ".yml", ".json")

paths_argument = click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
engine_option = click.option(
    "--engine",
    envvar="GATEHOUSE_GUARD_ENGINE",
    type=click.Choice(["opa", "embedded"]),
    default="opa",
    show_default=True,
    help="What the nodes evaluate guards with. Where no OPA is found, the embedded engine takes its place.",
)


strict_option = click.option("--strict", is_flag=True, help="Fail where there are warnings.")


def rego_of(engine: str) -> "RegoEngines":
    """Return what guards are checked and tested with on this machine."""
    # First: rego-cpp must be the first C++ library of the process, or the embedded engine refuses every guard.
    import policies.engines.rego_library  # noqa: F401, PLC0415 # as above
    from controlplane.services.rego_engines import GuardEngineName, RegoEngines  # noqa: PLC0415 # as above

    opa = find_opa(TOOLS)
    return RegoEngines(nodes=GuardEngineName(engine), opa_binary=str(opa.path) if opa else None)


def read_files(paths: tuple[Path, ...], *, may_be_none: bool = False) -> dict[str, bytes]:
    """Return the documents in files and folders, by path. Raises UsageError where one cannot be read."""
    files = [
        file
        for path in paths
        for file in (sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES) if path.is_dir() else [path])
    ]
    if not files and not may_be_none:
        raise click.UsageError(f"no {', '.join(_SUFFIXES)} file in {', '.join(map(str, paths))}")
    try:
        return {str(file): file.read_bytes() for file in files}
    except OSError as exc:
        raise click.UsageError(f"{exc.filename} cannot be read ({exc.strerror})") from exc


@contextmanager
def rejections_shown(*, as_json: bool) -> Iterator[None]:
    """End the command with 1 where documents are rejected, once everything that is wrong with them is told."""
    try:
        yield
    except PolicyRejected as exc:
        if as_json:
            show_json({"valid": False, "diagnostics": diagnostics_json(exc.diagnostics)})
        for diagnostic in () if as_json else exc.diagnostics:
            complain(str(diagnostic))
        sys.exit(1)


def diagnostics_json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, str | int]]:
    """Return diagnostics, or lints, as commands print them for scripts."""
    return [
        {
            "code": d.code,
            "file": d.at.file,
            "line": d.at.line,
            "column": d.at.column,
            "pointer": d.at.pointer,
            "message": d.message,
            "fix": d.fix,
        }
        for d in diagnostics
    ]


def show_warnings(warnings: Sequence[Diagnostic]) -> None:
    for warning in warnings:
        complain(f"warning: {warning}")
