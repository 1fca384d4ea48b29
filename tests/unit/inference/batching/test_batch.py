# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.batching.batch import Batch, Progress
from inference.batching.paged import PagedBatch


def test_the_real_batch_has_every_member():
    wanted = [name for name in vars(Batch) if not name.startswith("_")]
    assert "arrived" in wanted
    assert [name for name in wanted if not hasattr(PagedBatch, name)] == []


def test_progress_is_a_value():
    progress = Progress(key="1", tokens=(1, 2), ended=False)
    assert not progress.failed
    with pytest.raises(AttributeError):
        progress.key = "2"
