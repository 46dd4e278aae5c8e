"""The registration authority: applications, identity proofing at NSIS levels, approval.

May import `ca` and below. Start reading in `ra.applications`.
"""
