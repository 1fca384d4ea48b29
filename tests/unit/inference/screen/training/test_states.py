# SPDX-License-Identifier: Apache-2.0
import torch

from inference.screen.training.states import MOST_WINDOWS, encode


def test_states_are_read_from_the_cache_where_it_has_them(tmp_path, encoder):
    first = encode(["one", "two words"], encoder, cache=tmp_path)
    again = encode(["two words", "one"], None, cache=tmp_path)
    assert torch.equal(first.windows[0], again.windows[1])
    assert [len(own) for own in first.of_text] == [1, 1]


def test_a_long_text_has_so_many_windows_and_no_more(encoder):
    found = encode(["word " * 5000], encoder)
    assert len(found.windows) == len(found.of_text[0]) == MOST_WINDOWS
