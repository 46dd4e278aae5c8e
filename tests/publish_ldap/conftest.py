from tests.support.slapd import directory, own_slapd, slapd

__all__ = ["directory", "own_slapd", "slapd"]
