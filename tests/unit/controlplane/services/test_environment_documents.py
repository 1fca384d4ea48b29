# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.services.feeds import Feed
from policies.bundle.environment import EnvironmentDocument, Staleness, WhenStale, verify_environment
from tests.control_planes import make_plane, sqlite_url
from tests.records import NOON

HERE = {"tenant": "default", "environment": "production"}


@pytest.fixture
def plane(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    yield made
    made.store.close()


def read(plane, artifact) -> EnvironmentDocument:
    return verify_environment(artifact.content, keys={"gatehouse-1": plane.public_key}, **HERE)


def fetch(plane, **where):
    return plane.plane.feeds.artifact(Feed.ENVIRONMENT, **{**HERE, **where})


def test_an_environment_from_before_has_a_document_when_it_is_asked_for(plane):
    document = read(plane, fetch(plane))
    assert document == EnvironmentDocument(
        **HERE, number=1, issued_at=NOON, staleness=Staleness(max_s=None, then=WhenStale.DENY), posture_every_s=300
    )


def test_asking_again_gives_the_same_bytes(plane):
    first = fetch(plane)
    plane.clock.turn(60)
    assert fetch(plane) == first


def test_each_publication_has_the_next_number(plane):
    for number in (1, 2, 3):
        with plane.store.write() as session:
            published = plane.plane.environment_documents.publish(session, **HERE)
        assert read(plane, published).number == number
        assert fetch(plane) == published


def test_a_publication_is_in_its_transaction(plane):
    before = fetch(plane)

    def publish_and_fail() -> None:
        with plane.store.write() as session:
            plane.plane.environment_documents.publish(session, **HERE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        publish_and_fail()
    assert fetch(plane) == before


def test_whoever_watches_sees_a_publication(plane):
    before = plane.plane.feeds.heads()
    fetch(plane)
    assert plane.plane.feeds.heads() != before


@pytest.mark.parametrize("where", [{"tenant": "other"}, {"environment": "staging"}])
def test_where_there_is_no_environment_there_is_no_document(plane, where):
    assert fetch(plane, **where) is None
    with plane.store.write() as session:
        assert plane.plane.environment_documents.publish(session, **{**HERE, **where}) is None


def test_no_candidate_is_served_where_none_is_named(plane):
    fetch(plane)
    assert plane.plane.feeds.artifact(Feed.CANDIDATE, **HERE, serial=1) is None


def test_the_rules_of_the_environment_are_in_it_once_they_are_set(plane):
    before = fetch(plane)
    rules = {"max_staleness_s": 900, "when_stale": "serve", "posture_every_s": 60}
    answer = plane.call("PUT", "/v1/environments/production/rules", "admin", json=rules, headers={"If-Match": '"0"'})
    assert answer.status_code == 200
    document = read(plane, fetch(plane))
    assert document.staleness == Staleness(max_s=900, then=WhenStale.SERVE)
    assert (document.posture_every_s, document.number) == (60, read(plane, before).number + 1)
