"""X.500 publication: the only door to ldap3.

May import `ca` and below. Start reading in `publish_ldap.publication`.
"""
