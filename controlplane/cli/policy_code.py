# SPDX-License-Identifier: Apache-2.0
"""Policies as code: a directory, the working set of the control plane and what is in force, held against each other.

Rules: policies are compared by their content, not by the names of their files. Nothing is removed unless asked for.
Every change states the revision it starts from (If-Match), so that what somebody else changed meanwhile is not
overwritten. A second run changes nothing.
"""

import sys
from pathlib import Path
from typing import Final

import click

from controlplane.cli.policy_changes import (
    Change,
    Local,
    Theirs,
    compared,
    in_force,
    local_files,
    of_release,
    working_set,
)
from controlplane.cli.policy_sources import engine_option, paths_argument, read_files, rego_of, rejections_shown
from controlplane.cli.shared import api, fails_cleanly, json_option, say, segment, show_json
from controlplane.cli.tables import show_table
from controlplane.client import ApiClient

_DIFFERENT: Final = 2
_LONGEST_NAME: Final = 256
_COUNTED: Final = {"create": "to create", "revise": "to revise", "remove": "to remove", "unchanged": "unchanged"}

remove_option = click.option("--remove", is_flag=True, help="Also remove the policies that PATHS lack.")
exit_code_option = click.option("--exit-code", is_flag=True, help="Exit with 2 where there are differences.")
environment_option = click.option("--environment", default="production", show_default=True)
tenant_option = click.option("--tenant", default="default", show_default=True, help="Whose release it would be.")


@click.command()
@paths_argument
@remove_option
@json_option
@fails_cleanly
def apply(paths: tuple[Path, ...], *, remove: bool, as_json: bool) -> None:
    """Create or revise the policies in PATHS on the control plane. Only an activated release is enforced.

    Nothing is sent unless every document is valid. A second run changes nothing.
    """
    with rejections_shown(as_json=as_json):
        local = local_files(read_files(paths))
    author = api("author")
    changes = compared(local, working_set(author), remove=remove)
    done = [_applied(author, change) for change in changes if change.what != "kept"]
    if as_json:
        show_json({"policies": done})
    else:
        show_table(("POLICY", "WHAT", "REVISION"), ((item["id"], item["what"], item["revision"]) for item in done))


@click.command()
@paths_argument
@remove_option
@environment_option
@tenant_option
@engine_option
@exit_code_option
@json_option
@fails_cleanly
def plan(  # one for each option
    paths: tuple[Path, ...],
    *,
    remove: bool,
    environment: str,
    tenant: str,
    engine: str,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Show what `apply` would change, and whether a release of it would differ from what is in force. Changes nothing.

    PATHS and the working set are compiled here as one release, with the engine and OPA of this machine.
    """
    rego = rego_of(engine)
    from controlplane.cli.policy_release import revision_of  # noqa: PLC0415 # only this needs the compiler

    author = api("author")
    with rejections_shown(as_json=as_json):
        local = local_files(read_files(paths))
        theirs = working_set(author)
        changes = compared(local, theirs, remove=remove)
        files = {each.file: each.after for each in changes if each.after is not None}
        kept = {f"{each.id} (kept)": theirs.source(each.id) for each in changes if each.what == "kept"}
        revision = revision_of(files | kept, tenant=tenant, environment=environment, rego=rego)
    now = in_force(author, environment)
    differs = any(change.changes for change in changes)
    told = {"revision": revision, "in_force": now.revision, "release_would_change": revision != now.revision}
    if as_json:
        show_json({"policies": [_json(each, theirs) for each in changes], "environment": environment, **told})
    else:
        _show(changes, theirs)
        say(f"A release of this would be {revision}.")
        same = revision == now.revision
        say(f"In force in {environment}: {now.revision or 'nothing'}{' (the same)' if same else ''}.")
    sys.exit(_DIFFERENT if exit_code and differs else 0)


@click.command()
@paths_argument
@click.option("--environment", help="Compare with what is in force there, instead of the working set.")
@click.option("--release", "release_id", help="Compare with this release.")
@exit_code_option
@json_option
@fails_cleanly
def diff(
    paths: tuple[Path, ...], *, environment: str | None, release_id: str | None, exit_code: bool, as_json: bool
) -> None:
    """Show how the policies in PATHS differ from the working set, from a release, or from what is in force."""
    author = api("author")
    with rejections_shown(as_json=as_json):
        local = local_files(read_files(paths))
    theirs = _theirs(author, environment, release_id)
    changes = compared(local, theirs, remove=True)
    if as_json:
        show_json({"policies": [_json(each, theirs) for each in changes]})
    else:
        _show(changes, theirs)
    sys.exit(_DIFFERENT if exit_code and any(change.changes for change in changes) else 0)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--environment", help="What is in force there, instead of the working set.")
@click.option("--release", "release_id", help="This release.")
@json_option
@fails_cleanly
def export(folder: Path, *, environment: str | None, release_id: str | None, as_json: bool) -> None:
    """Write the working set, a release, or what is in force into FOLDER, a file for each policy.

    A policy that FOLDER has in a file of some other name is written there. To apply what was exported changes nothing.
    """
    author = api("author")
    theirs = _theirs(author, environment, release_id)
    there: dict[str, Local] = {}
    if folder.is_dir() and any(folder.iterdir()):
        with rejections_shown(as_json=as_json):
            there = local_files(read_files((folder,), may_be_none=True))
    folder.mkdir(parents=True, exist_ok=True)
    done = []
    for name in sorted(theirs.revisions):
        source = theirs.source(name)
        file = Path(there[name].file) if name in there else folder / theirs.file_name(name, source)
        same = name in there and there[name].source == source
        if not same:
            file.write_bytes(source)
        done.append({"id": name, "file": str(file), "what": "unchanged" if same else "written"})
    others = sorted(there.keys() - theirs.revisions.keys())
    done += [{"id": name, "file": there[name].file, "what": "only here"} for name in others]
    if as_json:
        show_json({"policies": done})
    else:
        show_table(("POLICY", "WHAT", "FILE"), ((item["id"], item["what"], item["file"]) for item in done))


@click.command("compile")
@paths_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the snapshot here.")
@environment_option
@tenant_option
@engine_option
@json_option
def compile_documents(  # one for each option
    paths: tuple[Path, ...], *, output: Path | None, environment: str, tenant: str, engine: str, as_json: bool
) -> None:
    """Compile the documents in PATHS as one release, and print its revision: the one that the control plane gives it.

    The bytes are the same where the same version of OPA checks the guards.
    """
    rego = rego_of(engine)
    from controlplane.cli.policy_release import compiled  # noqa: PLC0415 # as above

    with rejections_shown(as_json=as_json):
        snapshot, revision = compiled(read_files(paths), tenant=tenant, environment=environment, rego=rego)
    if output is not None:
        output.write_bytes(snapshot)
    if as_json:
        show_json({"revision": revision, "bytes": len(snapshot)})
    else:
        say(revision)


@click.command()
@click.argument("policy_id", metavar="POLICY")
@json_option
@fails_cleanly
def remove(policy_id: str, *, as_json: bool) -> None:
    """Take POLICY out of the working set. Its revisions stay, and so do the releases that have it."""
    author = api("author")
    revision = author.get(f"/v1/policies/{segment(policy_id)}").etag
    author.delete(f"/v1/policies/{segment(policy_id)}", if_match=revision)
    if as_json:
        show_json({"id": policy_id, "what": "removed", "revision": revision})
    else:
        say(f"{policy_id} removed")


def _theirs(author: ApiClient, environment: str | None, release_id: str | None) -> Theirs:
    if environment is not None and release_id is not None:
        raise click.UsageError("--environment and --release exclude each other")
    if release_id is not None:
        return of_release(author, release_id)
    if environment is None:
        return working_set(author)
    now = in_force(author, environment)
    if now.release is None:
        raise click.ClickException(f"nothing is in force in {environment}: activate a release first")
    return of_release(author, now.release)


def _applied(author: ApiClient, change: Change) -> dict[str, str]:
    path = f"/v1/policies/{segment(change.id)}"
    if change.what == "remove":
        author.delete(path, if_match=change.revision)
        return {"id": change.id, "what": "removed", "revision": change.revision}
    if change.after is None or not change.changes:
        return {"id": change.id, "what": "unchanged", "revision": change.revision}
    # The server takes names of 256 characters; what tells files apart stands at the end of a path.
    body = {"filename": change.file[-_LONGEST_NAME:], "source": change.after.decode()}
    if change.what == "create":
        answer = author.post("/v1/policies", body)
        return {"id": answer.body["id"], "what": "created", "revision": answer.body["revision"]}
    answer = author.post(f"{path}/revisions", body, if_match=change.revision)
    return {"id": answer.body["id"], "what": "revised", "revision": answer.body["revision"]}


def _json(change: Change, theirs: Theirs) -> dict[str, object]:
    lines = change.lines(theirs)
    return {"id": change.id, "what": change.what, "file": change.file or None, "diff": lines}


def _show(changes: list[Change], theirs: Theirs) -> None:
    for change in changes:
        say(f"{change.what} {change.id}")
        for line in change.lines(theirs):
            say(f"  {line}")
    counted = ((sum(change.what == what for change in changes), said) for what, said in _COUNTED.items())
    say(", ".join(f"{count} {said}" for count, said in counted))
