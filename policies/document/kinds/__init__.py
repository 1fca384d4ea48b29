# SPDX-License-Identifier: Apache-2.0
"""One module for each kind of policy: how its `spec` is read."""

from collections.abc import Callable, Mapping
from typing import Final

from policies.document.kinds.access import read_access
from policies.document.kinds.guard import read_guard
from policies.document.kinds.identity import read_identity
from policies.document.kinds.limits import read_limits
from policies.document.kinds.logging import read_logging
from policies.document.kinds.prompts import read_prompts
from policies.document.kinds.redaction import read_redaction
from policies.document.kinds.routes import read_routes
from policies.document.kinds.screening import read_screening
from policies.document.kinds.tests import read_tests_of
from policies.document.kinds.tools import read_tools
from policies.document.kinds.upstreams import read_upstreams
from policies.document.model import Spec
from policies.document.reader import Members

# A reader takes the members of the document, of which `spec` is one, and the document's id.
KINDS: Final[Mapping[str, Callable[[Members, str], Spec]]] = {
    "access": read_access,
    "guard": read_guard,
    "identity": read_identity,
    "limits": read_limits,
    "logging": read_logging,
    "prompts": read_prompts,
    "redaction": read_redaction,
    "routes": read_routes,
    "screening": read_screening,
    "tests": read_tests_of,
    "tools": read_tools,
    "upstreams": read_upstreams,
}
