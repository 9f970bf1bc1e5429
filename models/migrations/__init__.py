"""The history of the tables, applied with Alembic by models.store.migrate."""
