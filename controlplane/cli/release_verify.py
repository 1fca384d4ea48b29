# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release verify`: hold a release against what was signed of it."""

import base64
import binascii
import json
from pathlib import Path
from typing import Any

import click

from controlplane.cli.shared import api, fails_cleanly, home, json_option, say, segment, show_json
from policies.bundle.release import ReleaseManifest, verify_release
from policies.contracts.codec import digest
from policies.contracts.errors import BundleRejected


@click.command()
@click.argument("release_id")
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A public bundle key, in PEM; may be repeated. The home's own unless given.",
)
@json_option
@fails_cleanly
def verify(release_id: str, *, public_keys: tuple[Path, ...], as_json: bool) -> None:
    """Verify the signed manifest of RELEASE_ID, and that the API shows the release that was signed."""
    shown = api("author").get(f"/v1/policy-sets/default/releases/{segment(release_id)}").body
    if not shown["manifest"]:
        raise click.ClickException(f"{release_id} was made before releases were signed")
    manifest = _opened(shown["manifest"], public_keys or (home().keys / "bundle-signing.pub.pem",))
    differing = [name for name, value in _told(shown).items() if manifest.to_json()[name] != value]
    if differing:
        raise click.ClickException(f"what the API shows differs from what was signed: {', '.join(differing)}")
    if as_json:
        show_json(manifest.to_json())
    else:
        say(f"{manifest.id} is what {manifest.author} released for {manifest.environment}: {manifest.revision}")


def _opened(token: str, files: tuple[Path, ...]) -> ReleaseManifest:
    refused = BundleRejected("signature-invalid", "no public key was given")
    for file in files:
        try:
            return verify_release(token, {_key_id(token): file.read_bytes()})
        except BundleRejected as exc:
            refused = exc
        except (OSError, ValueError) as exc:
            raise click.ClickException(f"{file} cannot be used: {exc}") from exc
    raise click.ClickException(str(refused))


def _key_id(token: str) -> str:
    """Return the name that the signature gives its key. The keys to be trusted are those that were given."""
    head = token.partition(".")[0]
    try:
        return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return ""


def _told(shown: dict[str, Any]) -> dict[str, Any]:
    """Return what the API shows, in the members of a manifest."""
    tests = [{name: test[name] for name in ("policy", "name", "passed")} for test in shown["tests"]]
    same = ("environment", "policy_set", "id", "revision", "policies", "promoted_from", "author")
    return {name: shown[name] for name in same} | {
        "tests": {"digest": digest(tests), "count": len(tests)},
        "untested": {"rules": shown["untested"], "reason": shown["untested_reason"]},
    }
