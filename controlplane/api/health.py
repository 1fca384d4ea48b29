# SPDX-License-Identifier: Apache-2.0
"""/healthz and /readyz: is the process alive, and can it do its work?"""

import marshmallow as ma
from marshmallow import fields

from controlplane.api.endpoint import Resource
from controlplane.api.guard import plane
from controlplane.services.errors import LOG_ALTERED, Unready

resource = Resource("health", __name__, description="Is it alive, and can it work?")


class HealthSchema(ma.Schema):
    status = fields.String(required=True)


@resource.endpoint("GET", "/healthz", permission=None, gives=HealthSchema)
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@resource.endpoint("GET", "/readyz", permission=None, gives=HealthSchema)
def readyz() -> dict[str, str]:
    """The store answers too, and each log is what this process signed of it; 503 where not."""
    plane().feeds.heads()
    sequencer = plane().sequencer
    for log in sequencer.status() if sequencer is not None else ():
        if log.altered is not None:
            raise Unready(
                LOG_ALTERED,
                f"The log of {log.tenant} is not signed any more: {log.altered}. `gatehouse audit fsck` says more.",
            )
    return {"status": "ready"}
