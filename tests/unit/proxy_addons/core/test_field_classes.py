# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.snapshot import FieldClass
from proxy_addons.core.field_classes import of_path


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("choices.*.message.content", FieldClass.ASSISTANT_TEXT),
        ("choices.*.message.content.*.text", FieldClass.ASSISTANT_TEXT),
        ("choices.*.message.content.*.thinking", FieldClass.REASONING),
        ("choices.*.message.content.*.refusal", FieldClass.REFUSAL),
        ("choices.*.text", FieldClass.ASSISTANT_TEXT),
        ("choices.*.delta.reasoning_content", FieldClass.REASONING),
        ("choices.*.delta.reasoning_details.*.text", FieldClass.REASONING),
        ("choices.*.delta.reasoning.content", FieldClass.REASONING),
        ("choices.*.message.refusal", FieldClass.REFUSAL),
        ("choices.*.message.tool_calls.*.function.arguments", FieldClass.TOOL_ARGUMENTS),
        ("choices.*.message.tool_calls.*.function.arguments.content", FieldClass.TOOL_ARGUMENTS),
        ("choices.*.message.tool_calls.*.function.name", FieldClass.OTHER),
        ("choices.*.message.audio.transcript", FieldClass.TRANSCRIPT),
        ("choices.*.message.annotations.*.url", FieldClass.OTHER),
        ("error.message", FieldClass.ERROR),
        ("id", FieldClass.OTHER),
        ("", FieldClass.OTHER),
    ],
)
def test_the_member_that_a_text_stands_in_says_its_class(path, want):
    assert of_path(path.split(".")) is want
