# SPDX-License-Identifier: Apache-2.0
from controlplane.services.tenancy import MOST_ENVIRONMENTS
from tests.control_planes import make_plane, sqlite_url


def test_nodes_of_a_new_environment_find_keys_at_once(tmp_path) -> None:
    under_test = make_plane(sqlite_url(tmp_path))
    with under_test.store.read() as session:
        admin = session.principals.by_id("default", "admin")
    assert admin is not None

    under_test.plane.tenancy.create_environment(admin, "staging")

    with under_test.store.read() as session:
        document = session.environments.credentials("default", "staging")
    assert document is not None
    assert document.content.count(b".") == len(("header", "payload", "signature")) - 1
    assert under_test.plane.environment_documents.current("default", "staging") is not None
    assert len(under_test.plane.activations.environments(admin)) < MOST_ENVIRONMENTS
