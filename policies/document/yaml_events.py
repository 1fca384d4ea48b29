# SPDX-License-Identifier: Apache-2.0
"""The events of a YAML text, from libyaml where it reads the text as PyYAML does, and from PyYAML everywhere else.

Facts: PyYAML's own parser takes 1.7 s of CPU for 1 MiB, libyaml's 0.1 s. They are not one parser: libyaml takes tabs
for blanks, `?` within plain scalars of flow collections, and `#` right behind the header of a block scalar, which
PyYAML refuses; it counts byte order marks as columns, places an empty value of a flow collection one column on, and
refuses JSON's escapes of surrogates. So libyaml is given only texts without any of these that it takes: verdicts,
places and messages are PyYAML's everywhere, also where PyYAML was built without libyaml. Up to the first tag, that is,
which no document may have. `tests/property/test_yaml_events.py` holds the two together.
"""

import re
from collections.abc import Iterator
from typing import Final

import yaml

# Printable, without tab, `?`, carriage return, byte order mark, and the line breaks that only YAML 1.1 knows.
_ALIKE: Final = re.compile(r"[\n\x20-\x3e\x40-\x7e\xa1-\u1fff\u2030-\ud7ff\U00010000-\U0010ffff]*")
_OTHERWISE: Final = re.compile(r"[|>][-+0-9]*#|:\s*[,\]}]")
_LIBYAML: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def yaml_events(text: str) -> Iterator[yaml.Event]:
    """Yield the events of `text`. Raises yaml.YAMLError, or what PyYAML raises for an escape it cannot read."""
    return yaml.parse(text, Loader=_LIBYAML if _reads_alike(text) else yaml.SafeLoader)


def _reads_alike(text: str) -> bool:
    if not yaml.__with_libyaml__ or _ALIKE.fullmatch(text) is None or _OTHERWISE.search(text) is not None:
        return False
    try:  # twice libyaml is a tenth of PyYAML once; what was given before an error could not be taken back
        for _ in yaml.parse(text, Loader=_LIBYAML):
            pass
    except yaml.YAMLError:
        return False
    return True
