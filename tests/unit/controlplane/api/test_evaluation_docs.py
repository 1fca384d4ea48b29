# SPDX-License-Identifier: Apache-2.0
from controlplane.api.evaluation_docs import REFUSAL
from tests.control_planes import make_plane, sqlite_url


def test_every_endpoint_of_authzen_is_described_with_its_refusals(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    paths = under_test.call("GET", "/openapi.json", None).json["paths"]
    for where in ("", "/{environment}"):
        for path in ("evaluation", "evaluations"):
            asking = paths[f"{where}/access/v1/{path}"]["post"]
            assert asking["x-permission"] == "evaluations:write"
            assert {status for status, answer in asking["responses"].items() if answer == {"$ref": REFUSAL}} == {
                *("400", "401", "403", "404", "413", "429", "503", "default")
            }
        assert "security" not in paths[f"/.well-known/authzen-configuration{where}"]["get"]
    under_test.store.close()
