# SPDX-License-Identifier: Apache-2.0
"""How the classifier's weights come about: corpus, construction, fitting, evaluation. No part of the running server."""
