# SPDX-License-Identifier: Apache-2.0
"""`gatehouse policy`: check documents here, try their tests, list what the control plane has."""

import sys
from pathlib import Path
from typing import Any

import click

from controlplane.cli.policy_code import apply, compile_documents, diff, export, plan, remove
from controlplane.cli.policy_explain import explain
from controlplane.cli.policy_import import import_policy
from controlplane.cli.policy_sources import (
    diagnostics_json,
    engine_option,
    paths_argument,
    read_files,
    rego_of,
    rejections_shown,
    show_warnings,
    strict_option,
)
from controlplane.cli.shared import api, complain, fails_cleanly, json_option, say, show_json
from controlplane.cli.tables import plain, show_table
from controlplane.identifiers import utc_now


@click.group()
def policy() -> None:
    """Check, test, plan, apply, export and list policies."""


policy.add_command(apply)
policy.add_command(compile_documents)
policy.add_command(diff)
policy.add_command(explain)
policy.add_command(export)
policy.add_command(import_policy)
policy.add_command(plan)
policy.add_command(remove)


@policy.command()
@paths_argument
@engine_option
@strict_option
@json_option
def validate(paths: tuple[Path, ...], *, engine: str, strict: bool, as_json: bool) -> None:
    """Check the documents in PATHS (files or folders), their Rego included, each by itself and without a server.

    Lints are told as warnings.
    """
    rego = rego_of(engine)
    from controlplane.services.lints import lints_of  # noqa: PLC0415 # only these commands need the compiler
    from policies.compiler.compile import check_files  # noqa: PLC0415 # as above

    with rejections_shown(as_json=as_json):
        documents = check_files(read_files(paths), opa_binary=rego.opa_binary, engines={rego.nodes})
    warnings = lints_of(documents, at=utc_now())
    if as_json:
        names = [document.id for document in documents]
        told = {"diagnostics": [], "warnings": diagnostics_json(warnings)}
        show_json({"valid": True, "documents": names, **told})
    else:
        show_warnings(warnings)
        say(f"{len(documents)} documents are valid")
    sys.exit(1 if strict and warnings else 0)


@policy.command()
@paths_argument
@strict_option
@json_option
def lint(paths: tuple[Path, ...], *, strict: bool, as_json: bool) -> None:
    """Tell what the documents in PATHS, taken together, say that is right by the letter and hardly meant."""
    from controlplane.services.lints import lints_of  # noqa: PLC0415 # as above
    from policies.document.loader import load_documents  # noqa: PLC0415 # as above

    with rejections_shown(as_json=as_json):
        documents = load_documents(read_files(paths))
    warnings = lints_of(documents, at=utc_now())
    if as_json:
        show_json({"warnings": diagnostics_json(warnings)})
    else:
        show_warnings(warnings)
        say(f"{len(warnings)} warnings in {len(documents)} documents")
    sys.exit(1 if strict and warnings else 0)


@policy.command()
@paths_argument
@engine_option
@click.option("--coverage", is_flag=True, help="Tell which rules no passing test tried.")
@json_option
def test(paths: tuple[Path, ...], *, engine: str, coverage: bool, as_json: bool) -> None:
    """Compile the documents in PATHS as one release and run all of their tests, without a server."""
    rego = rego_of(engine)
    from controlplane.services.release_tests import coverage_json, try_release  # noqa: PLC0415 # as above

    with rejections_shown(as_json=as_json):
        tried = try_release(read_files(paths), rego=rego)
    covered = coverage_json(tried.coverage) if coverage else None
    if as_json:
        show_json(
            {
                "passed": len(tried.tests) - len(tried.failed),
                "failed": [{"policy": r.policy, "test": r.name, "problem": r.problem} for r in tried.failed],
            }
            | ({} if covered is None else {"coverage": covered}),
        )
    else:
        for result in tried.failed:
            complain(f"failed {result.policy}: {plain(result.name)}: {result.problem}")
        say(f"{len(tried.tests) - len(tried.failed)} passed, {len(tried.failed)} failed")
        if covered is not None:
            _show_coverage(covered)
    sys.exit(1 if tried.failed else 0)


def _show_coverage(covered: dict[str, Any]) -> None:
    say(f"{covered['covered']} of {covered['rules']} rules covered")
    for item in covered["uncovered"]:
        say(f"uncovered {item['policy']}: {item['rule']} ({item['pointer']})")


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
