"""Data-subject erasure: the saga that revokes before it deletes, and proves both.

May import `ra`, `publish_ldap`, `revocation` and below. Start reading in `gdpr_erasure.saga`.
"""
