# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from inference.model_options import read_models
from inference.settings import ModelSettings, SettingsWrong


def read(*, model_dir=None, names=(), models=(), queue_sizes=(), max_contexts=()):
    return read_models(
        model_dir=model_dir, names=names, models=models, queue_sizes=queue_sizes, max_contexts=max_contexts
    )


def test_models_of_both_kinds_are_served_side_by_side():
    want = (
        ModelSettings(names=("a", "b"), directory=Path("one")),
        ModelSettings(names=("c",), directory=Path("two=2")),
    )
    assert want == read(model_dir=Path("one"), names=("a", "b", "a"), models=("c=two=2",))


def test_a_limit_for_one_model_goes_before_that_for_all():
    first, second, third = read(models=("a=one", "b=two", "c=three"), queue_sizes=("8", "b=2"), max_contexts=("c=100",))
    assert [first.queue_size, second.queue_size, third.queue_size] == [8, 2, 8]
    assert [first.max_context, second.max_context, third.max_context] == [None, None, 100]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param({}, "no model", id="nothing"),
        pytest.param({"names": ("a",)}, "belong together", id="a-name-alone"),
        pytest.param({"model_dir": Path("one")}, "belong together", id="a-directory-alone"),
        pytest.param({"models": ("a",)}, "NAME=DIR", id="no-directory"),
        pytest.param({"models": ("=one",)}, "NAME=DIR", id="no-name"),
        pytest.param({"models": ("a=one", "a=two")}, "two models", id="a-name-twice"),
        pytest.param({"model_dir": Path("one"), "names": ("a",), "models": ("a=two",)}, "two models", id="both-ways"),
        pytest.param({"models": ("a=one",), "queue_sizes": ("b=2",)}, "no model has the name", id="of-nobody"),
        pytest.param({"models": ("a=one",), "queue_sizes": ("0",)}, "at least 1", id="no-queue"),
        pytest.param({"models": ("a=one",), "queue_sizes": ("10001",)}, "at most 10000", id="an-endless-queue"),
        pytest.param({"models": ("a=one",), "max_contexts": ("1",)}, "at least 2", id="no-room"),
        pytest.param({"models": ("a=one",), "max_contexts": ("a=-5",)}, "NAME=NUMBER", id="negative"),
        pytest.param({"models": ("a=one",), "max_contexts": ("9" * 5000,)}, "NAME=NUMBER", id="endless"),
        pytest.param({"models": ("a=one",), "queue_sizes": ("1", "2")}, "twice", id="a-limit-twice"),
    ],
)
def test_what_is_not_clear_is_refused(options, text):
    with pytest.raises(SettingsWrong, match=text):
        read(**options)
