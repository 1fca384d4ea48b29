# SPDX-License-Identifier: Apache-2.0
"""Keys, tokens and certificates of one home."""

import re
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controlplane.local.home import Home, write_private
from controlplane.local.materials import ensure_materials
from controlplane.services.log_key import LogKey


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.create()
    ensure_materials(made)
    return made


def contents(home):
    return {path: path.read_bytes() for folder in (home.keys, home.ca) for path in folder.iterdir()}


def test_everything_is_private(home):
    folders = [home.root, home.keys, home.ca, home.node, home.logs, home.database.parent, home.processes.parent]
    assert {0o700} == {stat.S_IMODE(folder.stat().st_mode) for folder in folders}
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in contents(home)}


def test_a_second_start_changes_nothing(home):
    before = contents(home)
    ensure_materials(home)
    assert before == contents(home)


def test_the_logs_key_names_a_log_that_no_other_home_has(home, tmp_path):
    other = Home(tmp_path / "other")
    other.create()
    ensure_materials(other)
    keys = [LogKey.parse(each.log_key.read_text()) for each in (home, other)]
    assert keys[0].name != keys[1].name
    assert re.fullmatch(r"gatehouse-[0-9a-f]{8}\.local", keys[0].name)


def test_public_key_is_the_signing_keys(home):
    private = serialization.load_pem_private_key((home.keys / "bundle-signing.pem").read_bytes(), password=None)
    public = serialization.load_pem_public_key((home.keys / "bundle-signing.pub.pem").read_bytes())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == public


@pytest.mark.parametrize(
    ("name", "purpose"),
    [("inference", ssl.Purpose.SERVER_AUTH), ("proxy", ssl.Purpose.CLIENT_AUTH)],
)
def test_leaf_is_signed_by_the_local_ca_and_usable(home, name, purpose):
    ca = x509.load_pem_x509_certificate((home.ca / "ca.pem").read_bytes())
    leaf = x509.load_pem_x509_certificate((home.ca / f"{name}.pem").read_bytes())
    leaf.verify_directly_issued_by(ca)
    context = ssl.create_default_context(purpose, cafile=home.ca / "ca.pem")
    context.load_cert_chain(home.ca / f"{name}.pem", home.ca / f"{name}.key")


def test_private_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    write_private(path, b"old")
    with pytest.raises(TypeError):
        write_private(path, None)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
