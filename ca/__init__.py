"""The certificate authority: names, requests, profiles, pre-issuance rules, issuance, hierarchy.

May import `hsm` and `audit`. Start reading in `ca.issuance`.
"""
