# SPDX-License-Identifier: Apache-2.0
"""The ports of the services on SQLAlchemy: SQLite and PostgreSQL, with migrations. SQL stays in here."""
