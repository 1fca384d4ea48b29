# SPDX-License-Identifier: Apache-2.0
"""What a first start puts in: tokens for each role, the demonstration's policies, and keys for alice and bob.

The policies go the way every policy goes, over the REST API: the author creates and releases, the approver activates.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

import yaml

from controlplane.client import ApiClient
from controlplane.local.home import Home, write_private
from controlplane.local.parts import MODELS, Part, RunSettings
from controlplane.services.log_key import LogKey
from controlplane.services.model import DEFAULT_TENANT
from policies.library import pack

HUMAN_ROLES: Final = ("admin", "author", "approver", "auditor")
SUBJECTS: Final = ("alice", "bob")
_INIT_DEADLINE_S: Final = 60


def ensure_tokens(home: Home) -> dict[str, str]:
    """Return a token for each role, made at the first start and kept in the home."""
    held = home.read_credentials().get("tokens", {})
    tokens = {role: held.get(role) or "ght_" + secrets.token_urlsafe(32) for role in HUMAN_ROLES}
    agent = home.keys / "agent-token"
    if not agent.exists():
        write_private(agent, ("ght_" + secrets.token_urlsafe(32)).encode())
    return {**tokens, "agent": agent.read_text()}


def initialise(part: Part, tokens: Mapping[str, str]) -> None:
    """Migrate the control plane's database and make sure that each role has its token."""
    subprocess.run(
        [sys.executable, "-m", "controlplane", "init"],
        input=json.dumps(dict(tokens)).encode(),
        env={"PATH": "/usr/bin:/bin", **part.environment},
        timeout=_INIT_DEADLINE_S,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def write_credentials(settings: RunSettings, tokens: Mapping[str, str], keys: Mapping[str, str]) -> None:
    """Write `credentials.json` for scripts: addresses, tokens, keys, and the demonstration's models and limits."""
    name = settings.control_plane_options.get("GATEHOUSE_LOG_NAME") or None
    content = {
        "api_url": settings.api_url,
        "proxy_url": settings.proxy_url,
        "tokens": {role: tokens[role] for role in HUMAN_ROLES},
        "keys": dict(keys),
        "log_key": LogKey.parse(settings.home.log_key.read_text(), name=name).vkey(DEFAULT_TENANT),
        "models": [] if settings.upstream else list(MODELS),
        "limits": _limits(documents(upstream=settings.upstream is not None)),
    }
    write_private(settings.home.credentials, json.dumps(content, indent=2).encode() + b"\n")


def ensure_policies(settings: RunSettings, tokens: Mapping[str, str]) -> None:
    """Create, release and activate the demonstration's policies, unless a release was ever activated here."""
    with (
        closing(ApiClient(settings.api_url, tokens["author"])) as author,
        closing(ApiClient(settings.api_url, tokens["approver"])) as approver,
    ):
        environment = approver.get("/v1/environments/production")
        if environment.body["desired"] is not None:
            return
        known = {policy["id"] for policy in author.every("/v1/policies")}
        for filename, source in documents(upstream=settings.upstream is not None).items():
            if yaml.safe_load(source)["id"] not in known:
                author.post("/v1/policies", {"filename": filename, "source": source.decode()})
        release = author.post(
            "/v1/policy-sets/default/releases",
            {"description": "What Gatehouse ships for a first look."},
        )
        approver.post(
            "/v1/activations",
            {"release": release.body["id"], "environment": "production"},
            if_match=environment.etag,
        )


def ensure_keys(settings: RunSettings, tokens: Mapping[str, str]) -> dict[str, str]:
    """Return the API keys of alice and bob, made at the first start: the server shows a key once and never again."""
    held: dict[str, str] = settings.home.read_credentials().get("keys", {})
    with closing(ApiClient(settings.api_url, tokens["admin"])) as admin:
        return {
            name: held.get(name) or admin.post("/v1/api-keys", {"subject": f"user:{name}"}).body["key"]
            for name in SUBJECTS
        }


def documents(*, upstream: bool) -> dict[str, bytes]:
    """Return the demonstration's policy documents; before another server, with access to every model it has."""
    return {**pack("baseline"), **pack("upstream" if upstream else "demo")}


def _limits(sources: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what the limits and the guards of `sources` set, for scripts that want to meet them."""
    found: dict[str, Any] = {}
    for source in sources.values():
        document = yaml.safe_load(source)
        if document["kind"] == "limits":
            found |= {name: document["spec"][name] for name in ("max_body_bytes", "rate") if name in document["spec"]}
        if document["kind"] == "guard":
            found |= document["spec"].get("data", {})
    return found
