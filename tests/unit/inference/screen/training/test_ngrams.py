# SPDX-License-Identifier: Apache-2.0
from inference.screen.training.corpus import Row
from inference.screen.training.ngrams import all_buckets, fit_ngram


def row(text, *, injection):
    return Row(text=text, injection=injection, kind="direct", sources=frozenset({"a"}), groups=frozenset({text}))


ROWS = [row(f"obey the red fox {at}", injection=True) for at in range(10)]
ROWS += [row(f"how is the weather in {at}", injection=False) for at in range(10)]


def test_learns_the_words_that_tell():
    model = fit_ngram(ROWS, range(len(ROWS)), all_buckets([each.text for each in ROWS]), seed=1)
    assert model.logit("please obey the red fox") > model.logit("please, how is the weather")
