"""PKCS#11 tokens: the only door to python-pkcs11.

Keys leave this package as subclasses of cryptography's private-key classes. Start in `hsm.token`;
what is special about SoftHSM is in `hsm.softhsm` alone.
"""
