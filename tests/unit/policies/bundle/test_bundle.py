# SPDX-License-Identifier: Apache-2.0
import io
import tarfile
import zlib

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from policies.bundle import archive
from policies.bundle.archive import pack_members, read_members
from policies.bundle.guard_entry import entry_module
from policies.bundle.jws import load_signing_key, sign
from policies.bundle.members import SIGNATURES, signature_payload, signatures
from policies.bundle.pack import pack
from policies.bundle.verify import verify
from policies.contracts.codec import canonical_bytes
from policies.contracts.errors import BundleRejected
from tests.unit.policies.bundle.bundles import KEYS, SIGNER, make_snapshot, new_signer, public_pem


def read(raw: bytes, **changes):
    scope = {"keys": KEYS, "tenant": "default", "environment": "production", "newer_than": None}
    return verify(raw, **{**scope, **changes})


def code_of(raw: bytes, **changes) -> str:
    with pytest.raises(BundleRejected) as caught:
        read(raw, **changes)
    return caught.value.code


def resigned(changes: dict[str, bytes | None], *, drop_from_signature: str = "") -> bytes:
    """What somebody who holds the key can make of a good bundle."""
    members = {**read_members(pack(make_snapshot(), serial=7, signer=SIGNER).content), **changes}
    members = {name: content for name, content in members.items() if content is not None}
    signed = {name: content for name, content in members.items() if name != drop_from_signature}
    return pack_members({**members, SIGNATURES: signatures(sign(signature_payload(signed), SIGNER))})


def test_what_was_packed_is_what_is_read():
    snapshot = make_snapshot()
    bundle = pack(snapshot, serial=7, signer=SIGNER)
    got = read(bundle.content, newer_than=6)
    assert (snapshot.revision, 7, f"7+{snapshot.revision}") == (
        got.snapshot.revision,
        got.serial,
        got.manifest_revision,
    )
    assert got.manifest_revision == bundle.manifest_revision
    assert set(got.modules) == {"gatehouse/main.rego", "gatehouse/guard/request_caps.rego"}
    assert got.data["gatehouse"]["guard_data"]["request_caps"]["max_tokens"] == 512


def test_the_same_snapshot_gives_the_same_bytes_and_etag():
    one, two = (pack(make_snapshot(), serial=7, signer=SIGNER) for _ in range(2))
    assert one == two
    assert one.etag != pack(make_snapshot(), serial=8, signer=SIGNER).etag


def test_another_library_reads_the_signature():
    members = read_members(pack(make_snapshot(), serial=7, signer=SIGNER).content)
    token = members[SIGNATURES].split(b'"')[3].decode()
    assert jws.deserialize_compact(token, ECKey.import_key(KEYS[SIGNER.id]), algorithms=["ES256"])


def test_a_serial_counts_from_one():
    with pytest.raises(ValueError, match="counts from 1"):
        pack(make_snapshot(), serial=0, signer=SIGNER)


def test_every_flipped_byte_is_refused_or_changes_nothing_that_is_read():
    raw = pack(make_snapshot(), serial=7, signer=SIGNER).content
    want = read(raw)
    for place in range(len(raw)):
        flipped = bytearray(raw)
        flipped[place] ^= 1 << (place % 8)
        try:
            got = read(bytes(flipped))
        except BundleRejected:
            continue
        assert want == got, place


@pytest.mark.parametrize(
    ("scope", "want"),
    [
        pytest.param({"tenant": "other"}, "wrong-scope", id="another-tenant"),
        pytest.param({"environment": "staging"}, "wrong-scope", id="another-environment"),
        pytest.param({"newer_than": 7}, "serial-not-newer", id="the-serial-in-force-again"),
        pytest.param({"newer_than": 8}, "serial-not-newer", id="an-older-serial"),
        pytest.param({"keys": {}}, "signature-invalid", id="no-key-configured"),
        pytest.param({"keys": {"gatehouse-1": public_pem(new_signer())}}, "signature-invalid", id="another-key"),
        pytest.param({"keys": {"gatehouse-2": KEYS[SIGNER.id]}}, "signature-invalid", id="our-key-by-another-id"),
    ],
)
def test_refuses_what_is_not_for_this_place(scope, want):
    assert want == code_of(pack(make_snapshot(), serial=7, signer=SIGNER).content, **scope)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        pytest.param(resigned({"extra.rego": b"package x"}), "bundle-unreadable", id="a-member-without-a-place"),
        pytest.param(resigned({"data.json": None}), "bundle-unreadable", id="a-member-missing-and-not-listed"),
        pytest.param(
            resigned({}, drop_from_signature="data.json"), "content-altered", id="a-member-that-is-not-listed"
        ),
        pytest.param(resigned({"data.json": b"{}"}), "snapshot-invalid", id="data-that-differs-from-the-snapshot"),
        pytest.param(
            resigned({"gatehouse/guard/request_caps.rego": b"package gatehouse.guard.request_caps"}),
            "snapshot-invalid",
            id="a-module-that-differs-from-the-snapshot",
        ),
        pytest.param(resigned({"snapshot.json": b"[]"}), "snapshot-invalid", id="a-snapshot-that-is-an-array"),
        pytest.param(resigned({"snapshot.json": b"[" * 100_000}), "snapshot-invalid", id="a-deep-snapshot"),
        pytest.param(
            resigned({"snapshot.json": canonical_bytes({**make_snapshot().to_json(), "schema": "x/2"})}),
            "snapshot-invalid",
            id="a-snapshot-of-another-schema",
        ),
        pytest.param(resigned({".manifest": b"{}"}), "snapshot-invalid", id="a-manifest-of-nothing"),
        pytest.param(
            resigned({"snapshot.json": canonical_bytes(make_snapshot(groups={}).to_json())}),
            "snapshot-invalid",
            id="a-snapshot-the-manifest-does-not-name",
        ),
    ],
)
def test_refuses_what_the_holder_of_the_key_did_wrong(raw, want):
    assert want == code_of(raw)


def with_signatures(content: bytes | None) -> bytes:
    members = read_members(pack(make_snapshot(), serial=7, signer=SIGNER).content)
    if content is None:
        del members[SIGNATURES]
    else:
        members[SIGNATURES] = content
    return pack_members(members)


TOKEN = read_members(pack(make_snapshot(), serial=7, signer=SIGNER).content)[SIGNATURES].split(b'"')[3]


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        pytest.param(with_signatures(None), "bundle-unsigned", id="no-signatures"),
        pytest.param(with_signatures(b'{"signatures":[]}'), "bundle-unsigned", id="an-empty-list"),
        pytest.param(
            with_signatures(b'{"signatures":["' + TOKEN + b'","' + TOKEN + b'"]}'), "bundle-unsigned", id="two"
        ),
        pytest.param(with_signatures(b'{"signatures":[7]}'), "signature-invalid", id="a-number"),
        pytest.param(with_signatures(b'{"signatures":["x"]}'), "signature-invalid", id="not-a-jws"),
        pytest.param(
            with_signatures(b'{"signatures":["' + TOKEN + b'"],"x":1}'), "signature-invalid", id="with-company"
        ),
        pytest.param(
            with_signatures(signatures("eyJhbGciOiJub25lIn0." + TOKEN.split(b".")[1].decode() + ".")),
            "signature-invalid",
            id="alg-none",
        ),
        pytest.param(
            with_signatures(signatures(TOKEN.decode()[:-1] + ("B" if TOKEN[-1:] == b"A" else "A"))),
            "signature-invalid",
            id="an-altered-signature",
        ),
    ],
)
def test_refuses_signatures_that_are_not_exactly_one_of_ours(raw, want):
    assert want == code_of(raw)


def test_an_altered_member_is_told_from_an_altered_signature():
    members = read_members(pack(make_snapshot(), serial=7, signer=SIGNER).content)
    members["data.json"] = members["data.json"].replace(b"512", b"513")
    assert code_of(pack_members(members)) == "content-altered"


def tar_of(*members: tarfile.TarInfo, form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"\0" * member.size))
    return archive._compress(buffer.getvalue())


def long_names(number: int) -> bytes:
    """GNU headers of a long name, each followed by the next."""
    header = tarfile.TarInfo("././@LongLink")
    header.size, header.type = 4, tarfile.GNUTYPE_LONGNAME
    return archive._compress((header.tobuf(tarfile.GNU_FORMAT) + b"abc".ljust(512, b"\0")) * number)


def entry(name: str, **changes) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\x03\x04", id="a-zip"),
        pytest.param(archive._compress(b"x" * 700), id="gzip-of-no-tar"),
        pytest.param(tar_of(entry("../x")), id="traversal"),
        pytest.param(tar_of(entry("/etc/passwd")), id="an-absolute-name"),
        pytest.param(tar_of(entry("./data.json")), id="a-name-that-is-not-canonical"),
        pytest.param(tar_of(entry("data.json"), entry("data.json")), id="a-member-twice"),
        pytest.param(tar_of(entry("data.json", type=tarfile.SYMTYPE, linkname="/etc/passwd")), id="a-link"),
        pytest.param(tar_of(entry("data.json", mode=0o755)), id="another-mode"),
        pytest.param(tar_of(entry("data.json", mtime=1)), id="another-time"),
        pytest.param(tar_of(entry("b"), entry("a")), id="another-order"),
        pytest.param(tar_of(entry("a" * 150), form=tarfile.PAX_FORMAT), id="pax-headers"),
        pytest.param(long_names(2000), id="headers-of-long-names-without-end"),
        pytest.param(pack(make_snapshot(), serial=7, signer=SIGNER).content + b"x", id="something-behind-it"),
        pytest.param(pack(make_snapshot(), serial=7, signer=SIGNER).content[:-9], id="cut-off"),
    ],
)
def test_refuses_what_is_not_the_one_form(raw):
    assert code_of(raw) == "bundle-unreadable"


def test_a_bomb_is_refused_before_it_unpacks(monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1 << 20)
    bomb = archive._GZIP_HEADER + zlib.compress(b"\0" * (1 << 22), 9, wbits=31)[10:]
    assert code_of(bomb) == "bundle-unreadable"


def test_a_release_without_guards_has_an_entry_too():
    assert read(pack(make_snapshot(guards=()), serial=1, signer=SIGNER).content).data == {
        "gatehouse": {"guard_data": {}}
    }
    assert "guards := {}" in entry_module(make_snapshot(guards=()))


def test_only_p256_signs():
    with pytest.raises(ValueError, match="private key"):
        load_signing_key(KEYS[SIGNER.id], key_id="x")


def test_a_key_does_not_show_itself():
    assert "key" not in repr(SIGNER).removeprefix("SigningKey(id='gatehouse-1')")
