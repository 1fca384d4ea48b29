# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

from proxy_addons.key_places import bundle_key_paths


def places(folder=None, file=None, key_id="gatehouse-1"):
    return SimpleNamespace(bundle_key_file=file, bundle_key_id=key_id, bundle_keys_dir=folder)


def test_the_folder_is_read_anew(tmp_path):
    assert bundle_key_paths(places(tmp_path)) == {}
    (tmp_path / "gatehouse-2.pem").touch()
    assert bundle_key_paths(places(tmp_path)) == {"gatehouse-2": tmp_path / "gatehouse-2.pem"}


def test_what_is_no_key_by_its_name_is_passed_over(tmp_path):
    for name in ("README", "a b.pem", ".pem", "x" * 129 + ".pem", "gatehouse-2.pem~"):
        (tmp_path / name).touch()
    assert bundle_key_paths(places(tmp_path)) == {}


def test_file_and_folder_stand_side_by_side_and_the_folder_is_newer(tmp_path):
    file = tmp_path / "one.txt"
    (tmp_path / "gatehouse-2.pem").touch()
    assert bundle_key_paths(places(tmp_path, file)).keys() == {"gatehouse-1", "gatehouse-2"}
    assert bundle_key_paths(places(tmp_path, file, "gatehouse-2")) == {"gatehouse-2": tmp_path / "gatehouse-2.pem"}


def test_a_folder_that_is_gone_leaves_the_file(tmp_path):
    file = tmp_path / "one.pem"
    assert bundle_key_paths(places(tmp_path / "none", file)) == {"gatehouse-1": file}
