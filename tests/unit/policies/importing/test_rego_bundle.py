# SPDX-License-Identifier: Apache-2.0
"""Bundles of others: what `opa build` packs is read, whatever else a tar can hold is refused."""

import gzip
import io
import tarfile

import pytest

from policies.bundle import archive
from policies.contracts.errors import PolicyRejected
from policies.importing import rego_bundle
from policies.importing.rego_bundle import is_bundle, read_bundle

MODULE = b"package a\n"


def entry(name: str, **changes) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in {"size": len(MODULE), **changes}.items():
        setattr(made, key, value)
    return made


def tar_of(*members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(MODULE.ljust(member.size, b"\n")[: member.size]))
    return buffer.getvalue()


def bundle(*members: tarfile.TarInfo) -> bytes:
    return gzip.compress(tar_of(*members))


def problems_of(raw: bytes) -> list[tuple[str, str]]:
    with pytest.raises(PolicyRejected) as caught:
        read_bundle("b.tar.gz", raw)
    return [(each.code, each.message) for each in caught.value.diagnostics]


@pytest.mark.parametrize("root", ["/", "./", ""])
def test_modules_are_read_by_name_however_the_root_is_written(root):
    folder = entry(f"{root}a", type=tarfile.DIRTYPE, size=0)
    got = read_bundle("b", bundle(folder, entry(f"{root}a/b.rego"), entry(f"{root}.manifest")))
    assert (got.modules, got.signed) == ({"b/a/b.rego": MODULE.decode()}, False)
    signed = bundle(entry(f"{root}a.rego"), entry(f"{root}.signatures.json"))
    assert (is_bundle(signed), read_bundle("b", signed).signed) == (True, True)


def test_the_root_itself_may_be_a_member():
    assert read_bundle("b", bundle(entry(".", type=tarfile.DIRTYPE, size=0), entry("a.rego"))).modules
    assert not is_bundle(MODULE)


SPARSE = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9000000000", "GNU.sparse.numblocks": "1"}


@pytest.mark.parametrize(
    ("member", "want"),
    [
        pytest.param(entry("../a.rego"), "is no name", id="traversal"),
        pytest.param(entry("/../a.rego"), "is no name", id="traversal-behind-the-root"),
        pytest.param(entry("a/../../b.rego"), "is no name", id="traversal-within"),
        pytest.param(entry("//etc/a.rego"), "is no name", id="two-roots"),
        pytest.param(entry("..\\a.rego"), "is no name", id="traversal-elsewhere"),
        pytest.param(entry("a\n.rego"), "is no name", id="a-name-of-two-lines"),
        pytest.param(entry("a" * 300 + ".rego"), "is no name", id="a-long-name"),
        pytest.param(entry("l.rego", type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0), "is neither", id="a-link"),
        pytest.param(entry("l.rego", type=tarfile.LNKTYPE, linkname="good.rego", size=0), "is neither", id="hard-link"),
        pytest.param(entry("l.rego", type=tarfile.FIFOTYPE, size=0), "is neither", id="a-pipe"),
        pytest.param(entry("l.rego", type=tarfile.CHRTYPE, size=0), "is neither", id="a-device"),
        pytest.param(entry("s.rego", pax_headers=SPARSE), "is neither", id="a-sparse-file"),
        pytest.param(entry("/good.rego"), "is there twice", id="the-same-name-otherwise-written"),
        pytest.param(entry("policy.wasm"), "is compiled", id="compiled"),
        pytest.param(entry("big.rego", size=2 << 20), "has more than", id="a-long-module"),
    ],
)
def test_what_is_no_file_below_the_root_refuses_the_bundle(member, want):
    ((code, message),) = problems_of(bundle(entry("good.rego"), member))
    assert (code, want in message) == ("bundle-member", True)


def test_everything_that_is_wrong_is_told_at_once():
    assert len(problems_of(bundle(entry("../a.rego"), entry("../b.rego"), entry("p.wasm")))) == 3


def long_names(number: int) -> bytes:
    header = tarfile.TarInfo("././@LongLink")
    header.size, header.type = 4, tarfile.GNUTYPE_LONGNAME
    return (header.tobuf(tarfile.GNU_FORMAT) + b"abc".ljust(512, b"\0")) * number


GOOD = tar_of(entry("good.rego"))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(gzip.compress(b"x" * 700), "bundle-unreadable", id="no-tar"),
        pytest.param(b"\x1f\x8bxx", "bundle-unreadable", id="no-gzip"),
        pytest.param(gzip.compress(GOOD)[:-9], "bundle-unreadable", id="gzip-cut-off"),
        pytest.param(gzip.compress(GOOD) + b"x", "bundle-unreadable", id="something-behind-the-gzip"),
        pytest.param(gzip.compress(GOOD[:520]), "bundle-unreadable", id="a-module-cut-off"),
        pytest.param(gzip.compress(GOOD[:1024] + b"x" * 512), "bundle-unreadable", id="a-broken-header"),
        pytest.param(gzip.compress(GOOD + GOOD), "bundle-unreadable", id="a-second-tar-behind-the-end"),
        pytest.param(gzip.compress(long_names(2000)), "bundle-unreadable", id="long-names-without-end"),
        pytest.param(bundle(entry("data.json")), "bundle-without-modules", id="no-module"),
        pytest.param(
            gzip.compress(GOOD.replace(b"package a", b"package \xff")), "bundle-member", id="a-module-of-no-text"
        ),
    ],
)
def test_what_cannot_be_read_to_its_end_is_refused(raw, code):
    assert [each for each, _ in problems_of(raw)] == [code]


def test_bytes_and_members_are_bounded(monkeypatch):
    monkeypatch.setattr(rego_bundle, "MAX_MEMBERS", 2)
    assert read_bundle("b", bundle(entry("a.rego"), entry("b.rego"))).modules
    assert problems_of(bundle(*(entry(f"{name}.rego") for name in "abc")))[0][0] == "bundle-unreadable"
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1 << 12)
    assert "unpacks to more than" in problems_of(bundle(entry("a.rego")))[0][1]
