"""The tamper-evident log: events, the Merkle tree over them, and heads signed in the token.

Knows nothing of the rest of the project; the database behind it is a Protocol that `records`
implements. Start reading in `audit.events`.
"""
