# SPDX-License-Identifier: Apache-2.0
"""/openapi.json, and /docs: the same for people, made by the server. No script, nothing from elsewhere."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Response, current_app, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from controlplane.api.endpoint import SMALL_BODY_BYTES, Rules, View
from controlplane.api.guard import plane
from controlplane.api.openapi import DOCUMENT
from controlplane.authz.permissions import Permission
from controlplane.services.model import Role

_EVERYBODY = Rules(permission=None, content_type=None, max_body_bytes=SMALL_BODY_BYTES, takes_key=False)


def install(app: Any) -> None:
    """Serve the documentation on `app`."""
    for path, name, view in (
        ("/", "root", root),
        ("/openapi.json", "openapi", openapi),
        ("/docs", "docs", docs),
        ("/docs/style.css", "docs_style", style),
    ):
        app.add_url_rule(path, name, _public(view), methods=["GET"])


def _public(view: View) -> View:
    view.rules = _EVERYBODY  # type: ignore[attr-defined]  # functions take attributes
    return view


def root() -> BaseResponse:
    return redirect(url_for("docs"))


def openapi() -> Any:
    return current_app.extensions[DOCUMENT]


def docs() -> str:
    document, access = current_app.extensions[DOCUMENT], plane().access
    roles = {
        permission.value: [role.value for role in Role if permission in access.permissions(role)]
        for permission in Permission
    }
    return render_template(
        "docs.html.jinja",
        document=document,
        origin=document["servers"][0]["url"],
        roles=roles,
        # Browsers keep the stylesheet for an hour, and an upgrade must not be shown in the old one.
        stylesheet=f"{url_for('docs_style')}?v={hashlib.sha256(_stylesheet().encode()).hexdigest()[:12]}",
    )


def style() -> Response:
    return Response(_stylesheet(), content_type="text/css; charset=utf-8", headers={"Cache-Control": "max-age=3600"})


@cache
def _stylesheet() -> str:
    return (files("controlplane.api") / "assets" / "docs.css").read_text(encoding="utf-8")
