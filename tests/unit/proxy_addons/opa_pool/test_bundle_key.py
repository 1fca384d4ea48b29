# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from proxy_addons.opa_pool.bundle_key import verification_key
from tests.signing import Signer


def places(folder, file=None):
    return SimpleNamespace(bundle_key_file=file, bundle_key_id="gatehouse-1", bundle_keys_dir=folder)


@pytest.fixture
def bundle(tmp_path):
    def write(signer):
        path = tmp_path / "bundle.tar.gz"
        path.write_bytes(signer.bundle(1))
        return path

    return write


@pytest.mark.parametrize("key_id", ["gatehouse-1", "gatehouse-2"])
def test_the_key_is_the_one_that_the_bundle_names(tmp_path, bundle, key_id):
    signers = {name: Signer.make(tmp_path, f"{name}.pem", key_id=name) for name in ("gatehouse-1", "gatehouse-2")}
    path = bundle(signers[key_id])
    assert verification_key(path, places(tmp_path)) == (tmp_path / f"{key_id}.pem", key_id)


def test_one_configured_key_is_taken_without_a_look(tmp_path):
    file = tmp_path / "one.pem"
    assert verification_key(tmp_path / "none", places(None, file)) == (file, "gatehouse-1")


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b not gzip", None])
def test_without_the_key_no_server_is_started(tmp_path, bundle, content):
    path = bundle(Signer.make(tmp_path, "elsewhere.txt", key_id="gatehouse-9"))
    if content is not None:
        path.write_bytes(content)
    Signer.make(tmp_path, "gatehouse-1.pem")
    with pytest.raises(OSError, match=r"not configured"):
        verification_key(path, places(tmp_path))
