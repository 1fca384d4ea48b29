# SPDX-License-Identifier: Apache-2.0
"""Mixed load on a whole Gatehouse while its processes are killed and its policy is changed.

    python -m tests.soak --minutes 30

What must hold afterwards: no request was answered that its policy refuses, nothing of a refused one reached the
upstream, no answer left with what redaction forbids, the record of each answer says what its client was told, and no
process grew. `tests/integration/test_soak.py` runs the same for some seconds.
"""
