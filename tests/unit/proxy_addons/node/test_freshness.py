# SPDX-License-Identifier: Apache-2.0
import pytest

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
        for feed in feeds or ("bundles", "credentials"):
            self.fresh.confirm(feed)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def test_workers_are_told_how_long_the_older_confirmation_holds(rig):
    rig.confirm("bundles")
    assert rig.told == []
    rig.clocks.pass_(10)
    rig.confirm("credentials")
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
