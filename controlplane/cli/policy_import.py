# SPDX-License-Identifier: Apache-2.0
"""`gatehouse policy import`: policies of other systems as documents, or why they cannot be."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from controlplane.cli.policy_sources import diagnostics_json, rejections_shown
from controlplane.cli.shared import complain, json_option, say, show_json
from controlplane.local.opa_binary import TOOLS, find_opa
from policies.contracts.errors import Diagnostic, PolicyRejected
from policies.document.forms import ID, ONE_OPERATION

if TYPE_CHECKING:
    from policies.importing.rego_entrypoint import Entrypoint

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
@click.option(
    "--entrypoint",
    metavar="PACKAGE/RULE",
    help="The rule that is asked, as example/authz/allow: what it does not make true is denied.",
)
@click.option("--prefix", metavar="ID", default="", help="What the id of each guard begins with.")
@json_option
def rego(paths: tuple[Path, ...], *, output: Path, entrypoint: str | None, prefix: str, as_json: bool) -> None:
    """Turn the Rego modules in PATHS (files, folders, bundles of `opa build`) into guards, a document for each module.

    What stands against any of them is told all at once, and then nothing is written. Signatures are not verified.
    """
    from policies.document.loader import load_documents  # noqa: PLC0415 # as above
    from policies.importing.rego import import_rego  # noqa: PLC0415 # as above

    opa = find_opa(TOOLS)
    if opa is None:
        raise click.UsageError("no OPA is found that could check Rego: set GATEHOUSE_OPA_BINARY")
    if prefix and not ID.fits(prefix):
        raise click.UsageError(f"--prefix {prefix!r} is no id: {ID.words}")
    asked = _entrypoint(entrypoint) if entrypoint else None
    sources = _Sources()
    for path in paths:
        sources.take(path)
    found = import_rego(sources.modules, opa_binary=str(opa.path), entrypoint=asked, prefix=prefix)
    problems = [*sources.problems, *found.problems]
    written = {name: yaml.dump(document, Dumper=_Blocks, sort_keys=False) for name, document in found.documents.items()}
    with rejections_shown(as_json=as_json):
        if not problems:
            load_documents({name: text.encode() for name, text in written.items()})
    if problems:
        written = {}
    else:
        _write(output, written)
    if as_json:
        bundles = [{"file": file, **each} for file, each in sources.bundles.items()]
        show_json({"imported": sorted(written), "diagnostics": diagnostics_json(problems), "bundles": bundles})
    else:
        for file, each in sources.bundles.items():
            complain(f"{file}: {'its signature was not verified' if each['signed'] else 'it is not signed'}")
        for problem in problems:
            complain(str(problem))
        refused = len({problem.at.file for problem in problems})
        over = f", {len(found.passed_over)} modules passed over" if found.passed_over else ""
        say(f"nothing is written: {refused} refused" if problems else f"{len(written)} guards in {output}{over}")
    sys.exit(1 if problems else 0)


def _entrypoint(text: str) -> "Entrypoint":
    from policies.importing.rego_entrypoint import Entrypoint  # noqa: PLC0415 # as above

    try:
        return Entrypoint.read(text)
    except ValueError as exc:
        raise click.UsageError(f"--entrypoint {exc}") from exc


def _write(folder: Path, written: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


class _Sources:
    """The modules in files, folders and bundles, by name, and what could not be read of bundles."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}
        self.bundles: dict[str, dict[str, bool]] = {}
        self.problems: list[Diagnostic] = []

    def take(self, path: Path) -> None:
        """Add what `path` has. Raises UsageError where it cannot be read."""
        from policies.importing.rego_bundle import MOST_BYTES, is_bundle, read_bundle  # noqa: PLC0415 # as above

        for file in sorted(path.rglob("*.rego")) if path.is_dir() else [path]:
            try:
                with file.open("rb") as opened:
                    raw = opened.read(MOST_BYTES + 1)
            except OSError as exc:
                raise click.UsageError(f"{file} cannot be read ({exc.strerror})") from exc
            if not is_bundle(raw):
                self.modules.update([_text(file)])
                continue
            try:
                bundle = read_bundle(str(file), raw)
            except PolicyRejected as exc:
                self.problems += exc.diagnostics
            else:
                self.modules.update(bundle.modules)
                self.bundles[str(file)] = {"signed": bundle.signed, "signature_verified": False}


class _Blocks(yaml.SafeDumper):
    """Writes texts of several lines as they are."""

    def represent_text(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _Blocks.represent_text)


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
