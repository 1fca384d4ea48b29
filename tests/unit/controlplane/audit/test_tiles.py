# SPDX-License-Identifier: Apache-2.0
"""Tiles: which hash goes where, what they are called, and what is read of them."""

import pytest

from controlplane.audit.frontier import Frontier
from controlplane.audit.tiles import (
    TileUnreadable,
    TreeReader,
    append,
    appended_again,
    parse_tile_path,
    recompute,
    tile_path,
    tile_width,
)
from tests.unit.controlplane.audit import naive_tree


def kept(leaves, batches=(1, 255, 256, 1, 700)):
    tiles, frontier, at = naive_tree.KeptTiles(), Frontier(), 0
    while frontier.size < len(leaves):
        end = frontier.size + batches[at % len(batches)]
        appended = append(frontier, leaves[frontier.size : end])
        frontier = appended.frontier
        at += 1
        for update in appended.updates:
            tiles.put(update)
            assert update.width * 32 == len(tiles.hashes[update.level, update.number])
    return tiles, frontier


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 1300])
def test_tiles_hold_what_the_specification_says(size):
    leaves = naive_tree.leaves(size)
    tiles, _ = kept(leaves)
    want = {}
    for level in range(3):
        covers = 256**level
        row = [naive_tree.root(leaves[at : at + covers]) for at in range(0, size // covers * covers, covers)]
        for number in range(-(-len(row) // 256)):
            want[level, number] = b"".join(row[number * 256 : (number + 1) * 256])
    assert want == tiles.hashes


def test_the_widths_of_the_specification_s_example():
    assert [tile_width(70_000, 0, number) for number in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [tile_width(70_000, 1, number) for number in (0, 1, 2)] == [256, 17, 0]
    assert [tile_width(70_000, 2, 0), tile_width(70_000, 3, 0)] == [1, 0]
    assert [tile_width(256, 0, 0), tile_width(256, 1, 0)] == [256, 1]


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ((0, 1_234_067, 256), "tile/0/x001/x234/067"),
        ((0, 0, 1), "tile/0/000.p/1"),
        ((63, 1000, 255), "tile/63/x001/000.p/255"),
        (("entries", 999, 256), "tile/entries/999"),
        (("entries", 1_000_000, 7), "tile/entries/x001/x000/000.p/7"),
    ],
)
def test_a_tile_has_one_path(place, path):
    assert path == tile_path(*place)
    assert place == parse_tile_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1/",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/entry/000",
        "/tile/0/000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/000",
        "tile/tile/0/000",
    ],
)
def test_what_is_no_path_of_a_tile_is_none(path):
    assert parse_tile_path(path) is None


@pytest.mark.parametrize("size", [0, 1, 300, 1300])
def test_root_and_frontier_come_back_out_of_tiles(size):
    leaves = naive_tree.leaves(1300)
    tiles, _ = kept(leaves)
    want = Frontier().append(leaves[:size])
    assert want == TreeReader(tiles, size).frontier()
    assert want == recompute(tiles, size)


def test_recomputing_believes_only_leaves():
    leaves = naive_tree.leaves(1300)
    tiles, frontier = kept(leaves)
    tiles.hashes[1, 0] = bytes(5 * 32)
    assert recompute(tiles, 1300) == frontier
    assert TreeReader(tiles, 1300).frontier() != frontier
    tiles.hashes[0, 2] = tiles.hashes[0, 2][:-1] + b"x"
    assert recompute(tiles, 1300) != frontier


def test_appending_again_gives_all_tiles_in_bounded_pieces():
    leaves = naive_tree.leaves(20_000)
    tiles, frontier = kept(leaves, batches=(900,))
    again = naive_tree.KeptTiles()
    pieces = list(appended_again(tiles, 20_000))
    for appended in pieces:
        for update in appended.updates:
            again.put(update)
    assert (tiles.hashes, frontier, 2) == (again.hashes, pieces[-1].frontier, len(pieces))


@pytest.mark.parametrize("altered", [b"", bytes(31), bytes(32 * 43), bytes(32 * 45)])
def test_a_tile_of_another_length_is_unreadable(altered):
    class Tiles:
        def tile(self, level, number, width):
            return altered

    with pytest.raises(TileUnreadable, match="tile 0 of level 0"):
        TreeReader(Tiles(), 44).frontier()


def test_a_node_that_a_tree_has_not_is_refused():
    tiles, _ = kept(naive_tree.leaves(300))
    with pytest.raises(ValueError, match="no complete subtree 1 of height 8"):
        TreeReader(tiles, 300).node(8, 1)
    with pytest.raises(ValueError, match="no complete subtree 75 of height 2"):
        TreeReader(tiles, 300).node(2, 75)
