# SPDX-License-Identifier: Apache-2.0
"""Programs that the tests beside them run with the GPU and without it. Each prints one line of JSON last."""
