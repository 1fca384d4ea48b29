# SPDX-License-Identifier: Apache-2.0
from array import array

import pytest

from inference.screen.reader import heads_of
from inference.screen.tensors import Tensor, Tensors, WeightsRefused


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        pytest.param({}, "no head", id="none"),
        pytest.param({"head.0.out.bias": Tensor((1,), array("f", [0.0]))}, "half precision", id="single-precision"),
        pytest.param({"head.0.out.bias": Tensor((1,), array("H", [0]))}, "shape", id="one-tensor-of-many"),
    ],
)
def test_refuses_weights_that_are_no_heads(tensors, why):
    with pytest.raises(WeightsRefused, match=why):
        heads_of(Tensors(tensors=tensors, notes={}, digest=""))
