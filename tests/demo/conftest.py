from tests.support.slapd import own_slapd

__all__ = ["own_slapd"]
