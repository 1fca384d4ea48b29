# SPDX-License-Identifier: Apache-2.0
"""Types that pass between the parts of Gatehouse: frozen, standard library only, one per arrow."""
