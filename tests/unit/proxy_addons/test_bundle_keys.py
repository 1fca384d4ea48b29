# SPDX-License-Identifier: Apache-2.0
"""Which keys count, and that a key that was taken away counts no more: for a bundle, credentials and revocations."""

from types import SimpleNamespace

import pytest

from policies.contracts.errors import BundleRejected
from proxy_addons.bundle_keys import check_bundle_keys, read_bundle_keys
from proxy_addons.node.verifier import Verifier
from proxy_addons.settings import SettingInvalid
from tests.signing import Signer


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "keys").mkdir()
    return tmp_path / "keys"


def settings(folder, file=None):
    return SimpleNamespace(
        bundle_key_file=file,
        bundle_key_id="gatehouse-1",
        bundle_keys_dir=folder,
        tenant="default",
        environment="production",
    )


DOCUMENTS = {
    "bundle": lambda signer, verifier: verifier.bundle(signer.bundle(2), 1).serial,
    "credentials": lambda signer, verifier: verifier.credentials(signer.credentials(2)).epoch,
    "environment": lambda signer, verifier: verifier.environment_document(signer.environment(2)).number,
    "revocations": lambda signer, verifier: verifier.revocations(signer.revocations(2)).epoch,
}


@pytest.mark.parametrize("verified", DOCUMENTS.values(), ids=DOCUMENTS)
def test_old_and_new_key_overlap_and_the_one_taken_away_is_refused(folder, verified):
    old, new = (Signer.make(folder, f"{name}.pem", key_id=name) for name in ("gatehouse-1", "gatehouse-2"))
    verifier = Verifier(settings(folder))
    assert (verified(old, verifier), verified(new, verifier)) == (2, 2)
    old.public_file.unlink()
    assert verified(new, verifier) == 2
    with pytest.raises(BundleRejected) as rejected:
        verified(old, verifier)
    assert rejected.value.code == "signature-invalid"


@pytest.mark.parametrize("verified", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_key_under_the_id_of_another_verifies_nothing(folder, verified):
    Signer.make(folder, "gatehouse-1.pem")
    impostor = Signer.make(folder, "gatehouse-2.pem")  # signs as gatehouse-1
    with pytest.raises(BundleRejected) as rejected:
        verified(impostor, Verifier(settings(folder)))
    assert rejected.value.code == "signature-invalid"


@pytest.mark.parametrize(
    "content",
    [pytest.param(b"", id="empty"), pytest.param(b"x" * 100, id="no-pem"), pytest.param(None, id="a-private-key")],
)
def test_a_file_that_is_no_public_key_does_not_keep_the_others_from_counting(folder, signing_pem, content):
    Signer.make(folder, "gatehouse-1.pem")
    (folder / "gatehouse-2.pem").write_bytes(signing_pem if content is None else content)
    assert read_bundle_keys(settings(folder)).keys() == {"gatehouse-1"}


@pytest.fixture
def signing_pem() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_node_without_any_key_does_not_start(folder):
    with pytest.raises(SettingInvalid, match="GATEHOUSE_BUNDLE_KEYS_DIR"):
        check_bundle_keys(settings(folder))
    Signer.make(folder, "gatehouse-1.pem")
    check_bundle_keys(settings(folder))
