# SPDX-License-Identifier: Apache-2.0
"""How environments are run and releases put to work, on every database."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from controlplane.services.environment_documents import EnvironmentDocuments
from controlplane.services.model import Artifact
from tests.records import NOON

T = "default"


def test_the_newest_document_of_each_environment_is_kept(store):
    with store.write() as session:
        for tenant in (T, "other"):
            session.environments.ensure(tenant, "production")
        kept = session.environment_documents
        assert (kept.get(T, "production"), kept.number(T, "production")) == (None, 0)
        kept.put(T, "production", Artifact(etag="a", content=b"\0jws"), number=1, candidate=7)
        kept.put(T, "production", Artifact(etag="b", content=b"\1jws"), number=2, candidate=None)
        kept.put("other", "production", Artifact(etag="c", content=b"c"), number=9, candidate=3)
    with store.read() as session:
        assert session.environment_documents.get(T, "production") == Artifact(etag="b", content=b"\1jws")
        assert session.environment_documents.number(T, "production") == 2
        assert session.environment_documents.candidate(T, "production") is None
        assert session.environment_documents.candidate("other", "production") == 3
        assert session.environments.heads() == {(T, "production"): (0, 0, 2), ("other", "production"): (0, 0, 9)}


class NumberingPublisher:
    def sign_environment(self, document):
        return Artifact(etag=f"sha256-{document.number}", content=str(document.number).encode())


def test_many_who_publish_at_once_take_a_number_each(store):
    with store.write() as session:
        session.environments.ensure(T, "production")
    documents = EnvironmentDocuments(store=store, publisher=NumberingPublisher(), clock=lambda: NOON)
    together = Barrier(4)

    def publish(_) -> bytes:
        together.wait(timeout=10)
        documents.current(T, "production")
        with store.write() as session:
            return documents.publish(session, T, "production").content

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(publish, range(4))) == [b"2", b"3", b"4", b"5"]
