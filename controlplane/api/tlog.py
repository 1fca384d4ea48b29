# SPDX-License-Identifier: Apache-2.0
"""/tlog: the log as C2SP's tools read it. Entries hold pseudonyms of subjects, so that nothing here is public."""

from typing import Any, Final

from flask import Response

from controlplane.api.endpoint import Resource
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission

resource = Resource("tlog", __name__, url_prefix="/tlog", description="The log in tiles (C2SP tlog-tiles).")

# A tile's content never changes: what a path names is there for ever, or was never there.
_IMMUTABLE: Final = "private, max-age=31536000, immutable"


@resource.endpoint("GET", "/<tenant>/checkpoint", permission=Permission.AUDIT_READ, gives=None)
def get_checkpoint(tenant: str) -> Any:
    """Get the last checkpoint: a signed note, text/plain, renewed every two seconds also when nothing happens."""
    text = plane().proofs.checkpoint(caller(), tenant=tenant).text
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


@resource.endpoint("GET", "/<tenant>/tile/<path:tile>", permission=Permission.AUDIT_READ, gives=None)
def get_tile(tenant: str, tile: str) -> Any:
    """Get a tile by its path: `L/N` or `L/N.p/W` of hashes, `entries/N` of entries. Within what is signed."""
    content = plane().proofs.tile(caller(), tenant=tenant, path=f"tile/{tile}")
    return Response(content, content_type="application/octet-stream", headers={"Cache-Control": _IMMUTABLE})
