# SPDX-License-Identifier: Apache-2.0
"""`gatehouse policy import`: policies of other systems as documents, or why they cannot be."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from controlplane.cli.policy_sources import diagnostics_json, rejections_shown
from controlplane.cli.shared import complain, json_option, say, show_json
from controlplane.local.opa_binary import TOOLS, find_opa
from policies.document.forms import ID, ONE_OPERATION

file_argument = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("import")
def import_policy() -> None:
    """Turn policies of other systems into documents. What cannot be said exactly is refused, with its place."""


@import_policy.command()
@click.argument("model", type=file_argument)
@click.argument("rows", metavar="CSV", type=file_argument)
@click.option("--id", "policy_id", default="casbin-import", show_default=True, help="The id of the access policy.")
@click.option(
    "--action", "actions", multiple=True, metavar="NAME=OPERATION", help="What an action is called here; repeatable."
)
@click.option("--subject-type", type=click.Choice(["user", "service"]), default="user", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the document here.")
@json_option
def casbin(  # one for each option
    model: Path,
    rows: Path,
    *,
    policy_id: str,
    actions: tuple[str, ...],
    subject_type: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Turn a Casbin MODEL and its CSV into an access policy that decides exactly the same. Objects are models.

    Everything that stands against it is told at once, by line and column.
    """
    from policies.document.loader import load_documents  # noqa: PLC0415 # only these commands need it
    from policies.importing.casbin import Naming, import_casbin  # noqa: PLC0415 # as above

    if not ID.fits(policy_id):
        raise click.UsageError(f"--id {policy_id!r} is no id: {ID.words}")
    naming = Naming(subject_type=subject_type, actions=dict(map(_named, actions)))
    with rejections_shown(as_json=as_json):
        document = import_casbin(_text(model), _text(rows), policy=policy_id, naming=naming)
        written = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
        # What is written is read as strictly as any other document, before anybody has it.
        load_documents({str(output or "(import)"): written.encode()})
    if output is not None:
        output.write_text(written, encoding="utf-8")
    if as_json:
        show_json(document)
    elif output is None:
        click.echo(written, nl=False)
    else:
        say(f"{output}: {len(document['spec']['grants'])} grants")


@import_policy.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for guards."
)
@json_option
def rego(paths: tuple[Path, ...], *, output: Path, as_json: bool) -> None:
    """Turn the Rego modules in PATHS (files, folders, unpacked bundles) into guards, a document for each module.

    Those that a guard cannot be are told with everything that stands against them, and the command fails.
    """
    from policies.document.loader import load_documents  # noqa: PLC0415 # as above
    from policies.importing.rego import import_rego  # noqa: PLC0415 # as above

    opa = find_opa(TOOLS)
    if opa is None:
        raise click.UsageError("no OPA is found that could check Rego: set GATEHOUSE_OPA_BINARY")
    found = import_rego(dict(_modules(paths)), opa_binary=str(opa.path))
    written = {name: yaml.dump(document, Dumper=_Blocks, sort_keys=False) for name, document in found.documents.items()}
    with rejections_shown(as_json=as_json):
        load_documents({name: text.encode() for name, text in written.items()})
    output.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (output / f"{name}.yaml").write_text(text, encoding="utf-8")
    if as_json:
        show_json({"imported": sorted(written), "diagnostics": diagnostics_json(found.problems)})
    else:
        for problem in found.problems:
            complain(str(problem))
        refused = len({problem.at.file for problem in found.problems})
        say(f"{len(written)} guards in {output}, {refused} modules refused")
    sys.exit(1 if found.problems else 0)


class _Blocks(yaml.SafeDumper):
    """Writes texts of several lines as they are."""

    def represent_text(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _Blocks.represent_text)


def _modules(paths: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    for path in paths:
        for file in sorted(path.rglob("*.rego")) if path.is_dir() else [path]:
            yield _text(file)


def _named(action: str) -> tuple[str, str]:
    name, _, operation = action.partition("=")
    if not name or not ONE_OPERATION.fits(operation):
        raise click.UsageError(f"--action {action!r} is not NAME=OPERATION, as read=chat.completions")
    return name, operation


def _text(file: Path) -> tuple[str, str]:
    try:
        return str(file), file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise click.UsageError(f"{file} cannot be read as UTF-8") from exc
