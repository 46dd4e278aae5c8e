"""The database: the only door to SQLAlchemy; implements the stores that the domain declares.

Personal fields pass through `records.personal_data` only. Start reading in `records.tables`.
"""
