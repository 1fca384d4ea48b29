# SPDX-License-Identifier: Apache-2.0
"""`gatehouse policy`: check documents here, try their tests, bring them to the control plane, list what it has."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import yaml

from controlplane.cli.shared import api, complain, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import plain, show_table
from controlplane.client import ApiClient
from controlplane.local.opa_binary import TOOLS, find_opa
from policies.contracts.errors import PolicyRejected

if TYPE_CHECKING:
    from controlplane.services.rego_engines import RegoEngines

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_LONGEST_NAME: Final = 256

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


@click.group()
def policy() -> None:
    """Check, test, apply and list policies."""


@policy.command()
@paths_argument
@engine_option
@json_option
def validate(paths: tuple[Path, ...], *, engine: str, as_json: bool) -> None:
    """Check the documents in PATHS (files or folders), their Rego included, each by itself and without a server."""
    rego = _rego(engine)
    from policies.compiler.compile import check_documents  # noqa: PLC0415 # only these commands need the compiler
    from policies.document.loader import load_documents  # noqa: PLC0415 # as above

    try:
        documents = load_documents(_read(paths))
        check_documents(documents, opa_binary=rego.opa_binary, engines={rego.nodes})
    except PolicyRejected as exc:
        _show_rejection(exc, as_json=as_json)
        sys.exit(1)
    if as_json:
        show_json({"valid": True, "documents": [document.id for document in documents], "diagnostics": []})
    else:
        say(f"{len(documents)} documents are valid")


@policy.command()
@paths_argument
@engine_option
@json_option
def test(paths: tuple[Path, ...], *, engine: str, as_json: bool) -> None:
    """Compile the documents in PATHS as one release and run all of their tests, without a server."""
    rego = _rego(engine)
    from controlplane.services.release_tests import test_release  # noqa: PLC0415 # as above

    try:
        results = asyncio.run(test_release(_read(paths), rego=rego))
    except PolicyRejected as exc:
        _show_rejection(exc, as_json=as_json)
        sys.exit(1)
    failed = [result for result in results if not result.passed]
    if as_json:
        show_json(
            {
                "passed": len(results) - len(failed),
                "failed": [{"policy": r.policy, "test": r.name, "problem": r.problem} for r in failed],
            },
        )
    else:
        for result in failed:
            complain(f"failed {result.policy}: {plain(result.name)}: {result.problem}")
        say(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


@policy.command()
@paths_argument
@json_option
@fails_cleanly
def apply(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Create or revise the policies in PATHS on the control plane. Only an activated release is enforced.

    Nothing is sent unless every document is valid.
    """
    from policies.document.loader import load_documents  # noqa: PLC0415 # as above

    files = _read(paths)
    try:
        ids = [document.id for document in load_documents(files)]
    except PolicyRejected as exc:
        _show_rejection(exc, as_json=as_json)
        sys.exit(1)
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise click.UsageError(f"several documents have the id {', '.join(twice)}")
    author = api("author")
    current = {item["id"]: item for item in author.every("/v1/policies")}
    done = [_apply_one(author, name, source, current) for name, source in sorted(files.items())]
    if as_json:
        show_json({"policies": done})
    else:
        show_table(("POLICY", "WHAT", "REVISION"), ((item["id"], item["what"], item["revision"]) for item in done))


@policy.command("list")
@json_option
@fails_cleanly
def list_policies(*, as_json: bool) -> None:
    """List the policies of the working set."""
    items = list(api("author").every("/v1/policies"))
    if as_json:
        show_json({"items": items})
    else:
        show_table(
            ("POLICY", "KIND", "VERSION", "REVISION", "AUTHOR"),
            ((i["id"], i["kind"], i["version"], i["revision"], i["author"]) for i in items),
        )


@policy.command()
@click.argument("kind", required=False)
def schema(*, kind: str | None) -> None:
    """Print the JSON Schema of the documents of KIND, or of every kind, for editors and other tools."""
    from policies.document.schemas import SPECS, schema_of, schema_of_any  # noqa: PLC0415 # as above

    if kind is not None and kind not in SPECS:
        raise click.UsageError(f"there is no kind {kind!r}; there are {', '.join(SPECS)}")
    show_json(schema_of_any() if kind is None else schema_of(kind))


def _rego(engine: str) -> "RegoEngines":
    # First: rego-cpp must be the first C++ library of the process, or the embedded engine refuses every guard.
    import policies.engines.rego_library  # noqa: F401, PLC0415 # as above
    from controlplane.services.rego_engines import GuardEngineName, RegoEngines  # noqa: PLC0415 # as above

    opa = find_opa(TOOLS)
    return RegoEngines(nodes=GuardEngineName(engine), opa_binary=str(opa.path) if opa else None)


def _apply_one(
    author: ApiClient,
    filename: str,
    source: bytes,
    current: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    # The server takes names of 256 characters; what tells files apart stands at the end of a path.
    body = {"filename": filename[-_LONGEST_NAME:], "source": source.decode()}
    name = _id_of(source)
    known = current.get(name) if name else None
    if name is None or known is None:
        answer = author.post("/v1/policies", body)
        return {"id": answer.body["id"], "what": "created", "revision": answer.body["revision"]}
    answer = author.post(f"/v1/policies/{segment(name)}/revisions", body, if_match=known["revision"])
    what = "unchanged" if answer.body["revision"] == known["revision"] else "revised"
    return {"id": answer.body["id"], "what": what, "revision": answer.body["revision"]}


def _id_of(source: bytes) -> str | None:
    """Return the id a document states, to choose between creating and revising; the server judges the document."""
    try:
        document = yaml.safe_load(source)
    except (yaml.YAMLError, ValueError):
        return None
    return document.get("id") if isinstance(document, dict) else None


def _read(paths: tuple[Path, ...]) -> dict[str, bytes]:
    files = [
        file
        for path in paths
        for file in (sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES) if path.is_dir() else [path])
    ]
    if not files:
        raise click.UsageError(f"no {', '.join(_SUFFIXES)} file in {', '.join(map(str, paths))}")
    try:
        return {str(file): file.read_bytes() for file in files}
    except OSError as exc:
        raise click.UsageError(f"{exc.filename} cannot be read ({exc.strerror})") from exc


def _show_rejection(rejection: PolicyRejected, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "valid": False,
                "diagnostics": [
                    {
                        "code": d.code,
                        "file": d.at.file,
                        "line": d.at.line,
                        "column": d.at.column,
                        "pointer": d.at.pointer,
                        "message": d.message,
                        "fix": d.fix,
                    }
                    for d in rejection.diagnostics
                ],
            },
        )
    else:
        for diagnostic in rejection.diagnostics:
            complain(str(diagnostic))
