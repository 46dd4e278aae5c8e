"""The key ceremony: a script that people follow, custodians of a PIN, and a signed transcript.

May import revocation, ca, hsm and audit; what it needs of the database and of the tokens it
declares in `ceremony.site`. The only door to shamir_mnemonic and reportlab. Start reading in
`ceremony.conduct`.
"""
