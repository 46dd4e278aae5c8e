"""Revocation: reasons, status, CRL and OCSP (RFC 5280, RFC 6960).

May import `ca`, `hsm` and `audit`. Start reading in `revocation.status`.
"""
