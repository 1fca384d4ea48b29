# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.bundle.environment import Staleness, WhenStale
from proxy_addons.node.freshness import Freshness


class Clocks:
    def __init__(self):
        self.monotonic_s, self.unix_s = 1000.0, 50_000.0

    def pass_(self, seconds):
        self.monotonic_s += seconds
        self.unix_s += seconds


class Rig:
    def __init__(self, folder, budget_s=600):
        self.clocks, self.told, self._folder, self._budget_s = Clocks(), [], folder, budget_s
        self.fresh = self.start()

    def start(self):
        self.fresh = Freshness(
            self._folder / "confirmed",
            budget_s=self._budget_s,
            tell=lambda message: self.told.append(message.monotonic_ns / 1e9),
            monotonic_s=lambda: self.clocks.monotonic_s,
            unix_s=lambda: self.clocks.unix_s,
        )
        return self.fresh

    def confirm(self, *feeds):
        for feed in feeds or ("bundles", "credentials", "revocations"):
            self.fresh.confirm(feed)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def test_workers_are_told_how_long_the_oldest_confirmation_holds(rig):
    rig.confirm("bundles")
    assert rig.told == []
    rig.clocks.pass_(10)
    rig.confirm("credentials")
    assert rig.told == []
    rig.confirm("revocations")
    assert rig.told == [1600.0]


def test_one_feed_alone_moves_nothing(rig):
    rig.confirm()
    rig.clocks.pass_(300)
    rig.confirm("bundles")
    assert rig.told == [1600.0]


def test_answers_in_quick_succession_are_told_once(rig):
    for _ in range(8):
        rig.confirm()
        rig.clocks.pass_(1)
    assert rig.told == [1600.0, 1605.0]


def test_is_stale_once_the_budget_has_passed_and_no_more_after_the_next_confirmation(rig):
    rig.confirm()
    rig.clocks.pass_(599)
    assert not rig.fresh.stale
    rig.clocks.pass_(1)
    assert rig.fresh.stale
    rig.confirm()
    assert not rig.fresh.stale


def test_a_restart_confirms_nothing(rig):
    rig.confirm()
    rig.clocks.pass_(400)
    rig.start().resume()
    assert rig.told[-1] == pytest.approx(1600.0)
    rig.clocks.pass_(200)
    assert rig.fresh.stale


def test_a_first_start_has_the_whole_budget(rig):
    rig.fresh.resume()
    assert rig.told == [1600.0]


def test_a_wall_clock_set_back_gives_no_more_than_the_budget(rig):
    rig.confirm()
    rig.clocks.unix_s -= 10_000
    rig.start().resume()
    assert rig.told[-1] == pytest.approx(1600.0)


def test_a_file_that_cannot_be_read_or_written_stops_nothing(tmp_path):
    rig = Rig(tmp_path / "missing")
    rig.fresh.resume()
    rig.confirm()
    assert rig.told == [1600.0]


def test_a_budget_of_0_is_never_stale(tmp_path):
    rig = Rig(tmp_path, budget_s=0)
    rig.fresh.resume()
    rig.confirm()
    assert (rig.told, rig.fresh.stale) == ([], False)


@pytest.mark.parametrize(
    ("own_s", "staleness", "stale_at_s", "denied_at_s"),
    [
        pytest.param(600, Staleness(max_s=60), 60, 60, id="the-document-is-stricter"),
        pytest.param(60, Staleness(max_s=600), 60, 60, id="the-setting-is-stricter"),
        pytest.param(0, Staleness(max_s=60), 60, 60, id="no-setting"),
        pytest.param(600, Staleness(max_s=60, then=WhenStale.SERVE), 60, 600, id="goes-on-until-the-setting-denies"),
        pytest.param(0, Staleness(max_s=60, then=WhenStale.SERVE), 60, None, id="goes-on-for-ever"),
        pytest.param(600, Staleness(), 600, 600, id="the-document-says-nothing"),
    ],
)
def test_whoever_bears_less_is_stale_first_and_only_the_document_lets_go_on(
    tmp_path, own_s, staleness, stale_at_s, denied_at_s
):
    rig = Rig(tmp_path, budget_s=own_s)
    rig.confirm()
    rig.fresh.follow(staleness)
    rig.clocks.pass_(stale_at_s - 1)
    assert (rig.fresh.stale, rig.fresh.denies) == (False, False)
    rig.clocks.pass_(1)
    assert (rig.fresh.stale, rig.fresh.denies) == (True, denied_at_s == stale_at_s)
    assert rig.told[-1:] == ([] if denied_at_s is None else [1000.0 + denied_at_s])


def test_workers_are_told_when_nobody_denies_any_more(tmp_path):
    rig = Rig(tmp_path, budget_s=0)
    rig.confirm()
    rig.fresh.follow(Staleness(max_s=60))
    rig.fresh.follow(Staleness())
    assert rig.told == [1060.0, pytest.approx(2**63 / 1e9)]
