# SPDX-License-Identifier: Apache-2.0
from policies.contracts.snapshot import Dialect
from proxy_addons.core.request_reader import takes_body
from proxy_addons.core.request_shapes import SHAPES, Shape


def test_every_dialect_that_takes_a_body_has_a_shape():
    assert {dialect for dialect in Dialect if takes_body(dialect)} == set(SHAPES)


def test_only_the_model_and_inline_media_are_left_alone():
    left: dict[str, str] = {}

    def walk(shape: Shape, path: str) -> None:
        if shape.left:
            left[path] = shape.left
        for name, below in (*shape.members.items(), *shape.variants.items()):
            walk(below, f"{path}.{name}")

    for shape in SHAPES.values():
        walk(shape, "")
    assert set(left.values()) <= {"decided-on", "image", "audio"}
    assert {path for path, why in left.items() if why == "decided-on"} == {".model"}


def test_what_a_conversation_repeats_is_numbered_first():
    assert next(iter(SHAPES[Dialect.CHAT].members)) == "messages"
