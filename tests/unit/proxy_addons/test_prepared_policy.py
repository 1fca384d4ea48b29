# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.bundle.pack import pack
from policies.contracts.decision import Effect, Mode
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import AccessPolicy, Grant, PolicySnapshot
from policies.engines.casbin import CasbinAccess
from proxy_addons.node.bundle_store import etag_of
from proxy_addons.prepared_policy import GRANTS, HEAD, PreparedAltered, models_allowed, prepare, read_prepared
from tests.signing import SNAPSHOT, Signer, verified


def _grant(name: str, subject: str, model: str, effect: Effect = Effect.ALLOW) -> Grant:
    return Grant(id=name, effect=effect, subjects=(subject,), models=(model,), operations=("chat.completions",))


def _access(name: str, *grants: Grant, mode: Mode = Mode.ENFORCE) -> AccessPolicy:
    return AccessPolicy(id=name, version="1", mode=mode, grants=grants)


# Not in the order of their ids, which is the order of what they answer.
_POLICIES = (
    _access("zoo", _grant("bob", "user:bob", "parrot", Effect.DENY), _grant("mo", "user:mo", "hidden", Effect.DENY)),
    _access("chat", _grant("alice", "user:alice", "parrot"), _grant("staff", "group:staff", "*")),
    _access("watched", _grant("all", "*", "owl"), mode=Mode.OBSERVE),
)
_LARGE = replace(SNAPSHOT, access=_POLICIES, groups={"staff": ("user:bob",)})


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return _prepared(tmp_path, _LARGE)


def _prepared(folder: Path, snapshot: PolicySnapshot) -> Path:
    signer = Signer.make(folder)
    path = folder / "bundle.tar.gz"
    path.write_bytes(pack(snapshot, serial=5, signer=signer.key).content)
    prepare(path, verified(path.read_bytes(), signer))
    return path


def _asked(subject: str, model: str) -> EvaluationRequest:
    return EvaluationRequest(
        request_id="r",
        tenant="default",
        environment="production",
        subject=Subject(type="user", id=subject),
        action="chat.completions",
        resource=Resource(type="model", id=model),
        facts=RequestFacts(),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )


@pytest.mark.parametrize("subject", ["alice", "bob", "mo", "eve"])
@pytest.mark.parametrize("model", ["parrot", "owl", "hidden"])
def test_what_a_worker_reads_answers_as_the_snapshot(bundle: Path, subject: str, model: str) -> None:
    read = read_prepared(bundle)

    ours = CasbinAccess(read.snapshot, read.grants).evaluate(_asked(subject, model))

    assert ours.answers == CasbinAccess(_LARGE).evaluate(_asked(subject, model)).answers


def test_it_is_of_the_bundle(bundle: Path) -> None:
    read = read_prepared(bundle)

    assert (read.serial, read.etag) == (5, etag_of(bundle.read_bytes()))
    assert read.manifest_revision == f"5+{_LARGE.revision}"
    assert read.snapshot.revision == _LARGE.revision
    assert not any(policy.grants for policy in read.snapshot.access)
    assert replace(read.snapshot, access=_LARGE.access) == _LARGE


def test_models_are_those_that_a_grant_allows(bundle: Path) -> None:
    assert read_prepared(bundle).models == models_allowed(_LARGE) == {"parrot", "owl"}


def test_everybody_is_allowed_by_an_enforced_grant_only(tmp_path: Path) -> None:
    enforced = _access("all", _grant("all", "*", "owl"))
    assert not read_prepared(_prepared(tmp_path, _LARGE)).allows_everybody
    assert read_prepared(_prepared(tmp_path, replace(_LARGE, access=(enforced,)))).allows_everybody


@pytest.mark.parametrize("suffix", [HEAD, GRANTS])
def test_a_file_that_was_altered_is_not_put_to_work(bundle: Path, suffix: str) -> None:
    file = bundle.with_name(bundle.name + suffix)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(PreparedAltered):
        read_prepared(bundle)


def test_once_more_replaces_what_was_there(bundle: Path, tmp_path: Path) -> None:
    bundle.with_name(bundle.name + GRANTS + ".tmp").write_bytes(b"torn")

    _prepared(tmp_path, replace(_LARGE, access=_POLICIES[1:]))

    assert read_prepared(bundle).snapshot.revision != _LARGE.revision
    assert len(read_prepared(bundle).snapshot.access) == len(_POLICIES) - 1


def test_only_this_user_can_read_what_was_prepared(bundle: Path) -> None:
    modes = [bundle.with_name(bundle.name + suffix).stat().st_mode & 0o777 for suffix in (HEAD, GRANTS)]

    assert modes == [0o600, 0o600]


def test_a_disk_without_room_is_told_as_such(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.engines.grants._SCHEMA", "not SQL")

    with pytest.raises(OSError, match="the grants cannot be written"):
        prepare(bundle, read_prepared(bundle))
