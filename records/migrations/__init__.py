"""Schema migrations (alembic), applied by `records.schema`."""
