# SPDX-License-Identifier: Apache-2.0
"""From the documents of a release to one snapshot: what must hold between them, and guards checked by their engine."""
