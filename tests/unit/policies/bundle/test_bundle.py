# SPDX-License-Identifier: Apache-2.0
"""Packing and verifying bundles, also by a real OPA."""

import gzip
import io
import json
import subprocess
import tarfile
import time
from dataclasses import replace

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policies.bundle.archive import read_archive, write_archive
from policies.bundle.keys import load_signing_key, verify_jws
from policies.bundle.pack import pack
from policies.bundle.verify import verify
from policies.contracts.decision import Effect, Mode
from policies.contracts.errors import BundleRejected
from policies.contracts.snapshot import AccessPolicy, Grant, GuardPolicy, PolicySnapshot

MODULE = """package gatehouse.guard.request_caps

deny contains "max-tokens-over-cap" if input.request.max_tokens > data.gatehouse.guard_data.request_caps.max_tokens
"""


# Everything that JSON writers disagree about: Go escapes the line separators and not HTML, and sorts keys bytewise.
NASTY = "<&>'\u2028\u2029\x00\x08\x0c\x1f\x7f\\\" é \U0001f600"


def key_pair():
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    return load_signing_key(pem, key_id="k1"), public


SIGNER, PUBLIC = key_pair()
OTHER_SIGNER, OTHER_PUBLIC = key_pair()


def snapshot(**changes):
    base = PolicySnapshot(
        tenant="default",
        environment="production",
        groups={"staff": ("user:alice",)},
        access=(
            AccessPolicy(
                id="chat",
                version="1",
                mode=Mode.ENFORCE,
                grants=(
                    Grant(
                        id="g",
                        effect=Effect.ALLOW,
                        subjects=("group:staff",),
                        models=("parrot",),
                        operations=("chat.completions",),
                    ),
                ),
            ),
        ),
        guards=(
            GuardPolicy(
                id="request-caps",
                version="1",
                mode=Mode.ENFORCE,
                module=MODULE,
                data={"max_tokens": 512, "note": NASTY, NASTY: 1, "\uffff": 2, "\U00010000": 3},
                reasons={"max-tokens-over-cap": "Too many."},
            ),
        ),
    )
    return replace(base, **changes)


def check(raw, *, keys=None, newer_than=None, tenant="default", environment="production"):
    return verify(raw, keys=keys or {"k1": PUBLIC}, tenant=tenant, environment=environment, newer_than=newer_than)


def code_of(raw, **options):
    with pytest.raises(BundleRejected) as rejected:
        check(raw, **options)
    return rejected.value.code


def rewritten(raw, change):
    """The bundle with its members changed by hand, packed again without a new signature."""
    members = read_archive(raw)
    change(members)
    return write_archive(members)


def test_what_was_packed_comes_back():
    bundle = pack(snapshot(), serial=7, signer=SIGNER)
    verified = check(bundle.content, newer_than=6)
    assert verified.snapshot == snapshot()
    assert verified.serial == 7
    assert verified.manifest_revision == bundle.manifest_revision == f"7+{snapshot().revision}"


def test_all_but_the_signature_is_reproducible():
    def unsigned(raw):
        return {name: content for name, content in read_archive(raw).items() if name != ".signatures.json"}

    first, second = (pack(snapshot(), serial=7, signer=SIGNER).content for _ in range(2))
    assert unsigned(first) == unsigned(second)
    assert write_archive(unsigned(first)) == write_archive(unsigned(second))


def signed_members(snapshot_of=snapshot, **changes):
    return read_archive(pack(snapshot_of(**changes), serial=7, signer=SIGNER).content)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda m: m.update({"extra.rego": b"package x"}), "content-altered", id="a member more"),
        pytest.param(lambda m: m.pop("data.json"), "content-altered", id="a member less"),
        pytest.param(lambda m: m.update({"data.json": b"{}"}), "content-altered", id="a member altered"),
        pytest.param(lambda m: m.pop(".signatures.json"), "bundle-unsigned", id="no signature"),
        pytest.param(
            lambda m: m.update({".signatures.json": b'{"signatures":[]}'}),
            "bundle-unsigned",
            id="an empty list of signatures",
        ),
        pytest.param(
            lambda m: m.update(
                {
                    ".signatures.json": json.dumps(
                        {"signatures": json.loads(m[".signatures.json"])["signatures"] * 2}
                    ).encode()
                },
            ),
            "bundle-unsigned",
            id="two signatures",
        ),
        pytest.param(
            lambda m: m.update({".signatures.json": b'{"signatures":["e30.e30.e30"]}'}),
            "signature-invalid",
            id="a signature of nothing",
        ),
    ],
)
def test_altered_bundle_is_rejected(change, code):
    assert code == code_of(rewritten(pack(snapshot(), serial=7, signer=SIGNER).content, change))


def test_another_key_is_rejected():
    bundle = pack(snapshot(), serial=7, signer=OTHER_SIGNER)
    assert code_of(bundle.content) == "signature-invalid"
    assert code_of(bundle.content, keys={"k2": OTHER_PUBLIC}) == "signature-invalid"


def test_key_of_another_curve_is_refused():
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="P-256"):
        check(pack(snapshot(), serial=7, signer=SIGNER).content, keys={"k1": pem})


@pytest.mark.parametrize("newer_than", [7, 8])
def test_replayed_bundle_is_rejected(newer_than):
    assert code_of(pack(snapshot(), serial=7, signer=SIGNER).content, newer_than=newer_than) == "serial-not-newer"


@pytest.mark.parametrize("scope", [{"tenant": "acme"}, {"environment": "staging"}])
def test_bundle_of_another_scope_is_rejected(scope):
    assert code_of(pack(snapshot(), serial=7, signer=SIGNER).content, **scope) == "wrong-scope"


def test_every_flipped_byte_is_rejected_or_changes_nothing():
    """gzip has bits that mean nothing (time, system, padding): flipped, the content is the same and so is the answer."""
    raw = pack(snapshot(), serial=7, signer=SIGNER).content
    accepted = []
    for place in range(len(raw)):
        altered = bytearray(raw)
        altered[place] ^= 1
        try:
            verified = check(bytes(altered))
        except BundleRejected:
            continue
        assert verified == check(raw)
        accepted.append(place)
    assert set(range(4, 8)) <= set(accepted)  # gzip's time: what is accepted is what means nothing
    assert len(accepted) < 20


def archive_with(*headers):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for header in headers:
            tar.addfile(header, io.BytesIO(b"x" * header.size))
    return gzip.compress(plain.getvalue())


def header_of(name, **fields):
    header = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(header, field, value)
    return header


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not gzip", id="not gzip"),
        pytest.param(gzip.compress(b"not tar" * 200), id="not tar"),
        pytest.param(gzip.compress(b"\0" * 1024)[:-4], id="gzip cut off"),
        pytest.param(gzip.compress(b"\0" * 1024) + b"more", id="bytes behind the gzip stream"),
        pytest.param(archive_with(header_of("../evil.rego")), id="a name that climbs"),
        pytest.param(archive_with(header_of("/etc/passwd")), id="an absolute name"),
        pytest.param(archive_with(header_of("a//b.rego")), id="an empty part"),
        pytest.param(archive_with(header_of("./a.rego")), id="a dot part"),
        pytest.param(archive_with(header_of(".hidden")), id="a hidden name"),
        pytest.param(archive_with(header_of("a", type=tarfile.SYMTYPE, linkname="/etc/passwd")), id="a link"),
        pytest.param(archive_with(header_of("a", type=tarfile.LNKTYPE, linkname="b")), id="a hard link"),
        pytest.param(archive_with(header_of("a", type=tarfile.FIFOTYPE)), id="a pipe"),
        pytest.param(archive_with(header_of("a", type=tarfile.DIRTYPE)), id="a folder"),
        pytest.param(archive_with(header_of("a"), header_of("a")), id="a name twice"),
        pytest.param(gzip.compress(write_archive({}) + b"x" * 512), id="bytes behind the tar's end"),
    ],
)
def test_unreadable_archive_is_rejected(raw):
    assert code_of(raw) == "bundle-unreadable"


def test_bomb_is_rejected_without_unpacking_it(monkeypatch):
    monkeypatch.setattr("policies.bundle.archive.MAX_UNPACKED_BYTES", 1024 * 1024)
    assert code_of(gzip.compress(b"\0" * 100 * 1024 * 1024)) == "bundle-unreadable"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": "k1"},
        {"alg": "HS256", "kid": "k1"},
        {"alg": "ES256", "kid": "k1", "jku": "https://example.com/keys"},
        {"alg": "ES256", "kid": "k1", "crit": ["x"], "x": 1},
        {"alg": "ES256"},
    ],
    ids=str,
)
def test_header_that_names_its_own_key_or_algorithm_is_refused(header):
    import base64

    def encode(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    from policies.bundle.keys import load_verification_keys

    with pytest.raises(BundleRejected):
        verify_jws(f"{encode(header)}.{encode({})}.{'A' * 86}", load_verification_keys({"k1": PUBLIC}))


@pytest.fixture
def serve(opa_binary, tmp_path):
    running = []

    def run(raw, public=PUBLIC):
        bundle, key, socket = tmp_path / "bundle.tar.gz", tmp_path / "key.pem", tmp_path / "opa.sock"
        bundle.write_bytes(raw)
        key.write_bytes(public)
        process = subprocess.Popen(
            [
                *(opa_binary, "run", "--server", "--addr", f"unix://{socket}", "--skip-version-check"),
                *("--verification-key", key, "--verification-key-id", "k1", "--signing-alg", "ES256"),
                *("--scope", "read", "--bundle", bundle),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        running.append(process)
        client = httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://opa")
        for _ in range(200):
            if process.poll() is not None:
                return None, process.stdout.read().decode()
            try:
                client.get("/health").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return client, ""
        pytest.fail("OPA neither started nor ended")

    yield run
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.opa
def test_a_stock_opa_takes_it_and_states_its_revision(serve):
    bundle = pack(snapshot(), serial=7, signer=SIGNER)
    client, problem = serve(bundle.content)
    assert problem == ""
    with client:
        answer = client.post(
            "/v1/data/gatehouse/main?provenance=true",
            json={"input": {"request": {"max_tokens": 600}}},
        ).json()
    assert answer["result"] == {
        "guards": {"request-caps": {"allow": False, "deny": ["max-tokens-over-cap"], "obligations": []}},
    }
    assert [b["revision"] for b in answer["provenance"]["bundles"].values()] == [bundle.manifest_revision]


@pytest.mark.opa
@pytest.mark.parametrize(
    ("change", "public"),
    [
        pytest.param(lambda m: m.update({"snapshot.json": b"{}"}), PUBLIC, id="the snapshot altered"),
        pytest.param(lambda m: m.update({"data.json": b"{}"}), PUBLIC, id="the data altered"),
        pytest.param(lambda m: m.update({"more.rego": b"package more"}), PUBLIC, id="a member more"),
        pytest.param(lambda _: None, OTHER_PUBLIC, id="another key"),
    ],
)
def test_a_stock_opa_refuses_what_we_refuse(serve, change, public):
    raw = rewritten(pack(snapshot(), serial=7, signer=SIGNER).content, change)
    client, problem = serve(raw, public)
    assert client is None
    assert problem
    code_of(raw, keys={"k1": public})
