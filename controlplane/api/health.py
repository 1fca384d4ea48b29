# SPDX-License-Identifier: Apache-2.0
"""/healthz and /readyz: is the process alive, and can it do its work?"""

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.guard import plane

resource = Resource("health", __name__, description="Is it alive, and can it work?")


class HealthSchema(ma.Schema):
    status = fields.String(required=True)


@resource.endpoint("GET", "/healthz", permission=None, gives=HealthSchema)
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@resource.endpoint("GET", "/readyz", permission=None, gives=HealthSchema)
def readyz() -> dict[str, str]:
    """The store answers too; 503 where it does not."""
    plane().feeds.heads()
    return {"status": "ready"}
