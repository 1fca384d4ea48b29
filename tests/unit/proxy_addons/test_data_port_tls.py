# SPDX-License-Identifier: Apache-2.0
import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from proxy_addons.data_port_tls import TlsFilesUnusable, load_identity, stamp_of
from proxy_addons.settings import DataPortTls
from tests.authority import Authority


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "ca")


@pytest.fixture
def files(authority):
    cert_file, key_file = authority.issue("server")
    return DataPortTls(cert_file=cert_file, key_file=key_file, client_ca_file=authority.path)


def test_a_context_speaks_modern_tls_and_asks_clients_for_a_certificate(files):
    context = load_identity(files).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_OPTIONAL
    assert context.options & ssl.OP_NO_TICKET
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.num_tickets == 0


def test_without_authorities_no_client_certificate_is_asked_for(authority):
    cert_file, key_file = authority.issue("server")
    context = load_identity(DataPortTls(cert_file=cert_file, key_file=key_file)).context
    assert context.verify_mode is ssl.CERT_NONE


def another_key(files, authority):
    _, other = authority.issue("other")
    files.key_file.write_bytes(other.read_bytes())


def encrypted_key(files, authority):
    key = serialization.load_pem_private_key(files.key_file.read_bytes(), None)
    files.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def without_text(name):
    return lambda files, authority: getattr(files, name).write_bytes(b"")


def without_file(name):
    return lambda files, authority: getattr(files, name).unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(another_key, id="key-of-another"),
        pytest.param(encrypted_key, id="key-with-password"),
        pytest.param(without_text("cert_file"), id="empty-certificate"),
        pytest.param(without_text("key_file"), id="empty-key"),
        pytest.param(without_text("client_ca_file"), id="empty-authorities"),
        pytest.param(without_file("cert_file"), id="no-certificate"),
        pytest.param(without_file("client_ca_file"), id="no-authorities"),
    ],
)
def test_files_that_cannot_be_used_are_refused_without_their_content(files, authority, spoil):
    load_identity(files)
    spoil(files, authority)
    with pytest.raises(TlsFilesUnusable) as refused:
        load_identity(files)
    assert "PRIVATE" not in str(refused.value)
    assert str(refused.value)


def test_a_stamp_changes_with_each_way_of_replacing_a_file(files, authority, tmp_path):
    stamps = [stamp_of(files)]
    assert stamps == [stamp_of(files)]
    files.cert_file.write_bytes(files.cert_file.read_bytes() + b"\n")
    stamps.append(stamp_of(files))
    authority.issue("next")[0].replace(files.cert_file)
    stamps.append(stamp_of(files))
    files.key_file.unlink()
    stamps.append(stamp_of(files))
    files.key_file.symlink_to(authority.issue("linked")[1])
    stamps.append(stamp_of(files))
    assert len(set(stamps)) == len(stamps)
