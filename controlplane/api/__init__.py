# SPDX-License-Identifier: Apache-2.0
"""The REST API: one module for each resource, over the services. Flask stays in here and in `controlplane/app.py`."""
