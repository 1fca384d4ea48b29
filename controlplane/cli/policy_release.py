# SPDX-License-Identifier: Apache-2.0
"""Compile on this machine what the control plane would compile: the same documents give the same bytes."""

from collections.abc import Mapping

from controlplane.services.rego_engines import RegoEngines
from policies.compiler.compile import compile_files
from policies.contracts.codec import canonical_bytes


def compiled(files: Mapping[str, bytes], *, tenant: str, environment: str, rego: RegoEngines) -> tuple[bytes, str]:
    """Return the canonical snapshot of `files` and its revision. Raises PolicyRejected."""
    _, snapshot = compile_files(
        files, tenant=tenant, environment=environment, opa_binary=rego.opa_binary, engines={rego.nodes}
    )
    return canonical_bytes(snapshot.to_json()), snapshot.revision


def revision_of(files: Mapping[str, bytes], *, tenant: str, environment: str, rego: RegoEngines) -> str:
    """Return the revision of a release of `files`. Raises PolicyRejected."""
    return compiled(files, tenant=tenant, environment=environment, rego=rego)[1]
