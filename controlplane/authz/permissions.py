# SPDX-License-Identifier: Apache-2.0
"""What may be done through the API: `resource:action`. Every endpoint names exactly one."""

from enum import StrEnum


class Permission(StrEnum):
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    POLICIES_VALIDATE = "policies:validate"
    REDACTIONS_TEST = "redactions:test"
    RELEASES_READ = "releases:read"
    RELEASES_WRITE = "releases:write"
    ACTIVATIONS_READ = "activations:read"
    ACTIVATIONS_WRITE = "activations:write"
    DECISIONS_READ = "decisions:read"
    RECORDS_WRITE = "records:write"
    AGENTS_READ = "agents:read"
    AGENTS_REPORT = "agents:report"
    FEEDS_READ = "feeds:read"
    API_KEYS_READ = "api-keys:read"
    API_KEYS_WRITE = "api-keys:write"
    ROLES_READ = "roles:read"
    ROLES_WRITE = "roles:write"
    ERASURES_READ = "erasures:read"
    ERASURES_WRITE = "erasures:write"
    HOLDS_READ = "holds:read"
    HOLDS_WRITE = "holds:write"
    HOLDS_RELEASE = "holds:release"
    ADMIN_EVENTS_READ = "admin-events:read"
    AUDIT_READ = "audit:read"
