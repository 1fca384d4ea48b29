# SPDX-License-Identifier: Apache-2.0
import stat

import pytest

from proxy_addons.node.bundle_store import Activated, BundleStore, StateUnreadable


def test_remembers_what_was_activated_across_restarts(tmp_path):
    assert BundleStore(tmp_path).activated() is None
    BundleStore(tmp_path).remember(Activated(serial=7, etag='"x"'))
    assert BundleStore(tmp_path).activated() == Activated(serial=7, etag='"x"')


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"serial":"7","etag":""}', '{"serial":true,"etag":""}', '{"serial":-1,"etag":""}']
)
def test_a_state_that_cannot_be_read_is_no_fresh_start(tmp_path, content):
    (tmp_path / "activated.json").write_text(content)
    with pytest.raises(StateUnreadable):
        BundleStore(tmp_path).activated()


def test_keeps_and_deletes_private_files_by_serial(tmp_path):
    store = BundleStore(tmp_path)
    path = store.keep(7, b"content")
    (path.parent / "8.tar.gz").write_bytes(b"not a bundle's name")
    assert path.name == "00000000000000000007.tar.gz"
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert store.serials() == {7}
    store.delete(7)
    store.delete(7)
    assert store.serials() == set()
