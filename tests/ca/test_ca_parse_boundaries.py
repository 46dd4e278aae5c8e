"""Hostile octets at every parse boundary, from a seed; `./dev soak parse` goes on for 1,000,000."""

import random
from functools import cache

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ca.foreign_certificates import read_certificate
from tests.support.ca_builders import a_key, self_signed
from tests.support.der_mutations import mutated
from tests.support.parse_boundaries import Boundary, boundaries, faults

EACH = 1_000
SEED = 20260301
NAMES = ("request", "SPKAC", "approval", "OCSP request", "certificate", "CRL")


@cache
def boundary(name: str) -> Boundary:
    (found,) = (each for each in boundaries() if each.name == name)
    return found


def test_every_boundary_is_tried() -> None:
    assert tuple(each.name for each in boundaries()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_hostile_octets_raise_only_what_a_boundary_may(name: str) -> None:
    assert [str(fault) for fault in faults(boundary(name), EACH, SEED)] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_the_boundary_is_tried_with_is_near_to_what_it_reads(name: str) -> None:
    tried = boundary(name)
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    read = 0
    for _ in range(300):
        try:
            tried.read(tried.hostile(chance))
        except tried.lawful:
            continue
        read += 1
    assert read >= 10, "if hardly anything passes, hardly anything is tried"


def test_the_same_seed_gives_the_same_octets() -> None:
    samples = boundary("certificate").samples
    one, other = (mutated(samples[0], samples, random.Random(7)) for _ in range(2))  # noqa: S311
    assert one == other


def test_a_certificate_in_der_may_name_an_armor() -> None:
    named = self_signed(a_key(), "-----BEGIN CERTIFICATE-----")
    assert read_certificate(named.public_bytes(Encoding.DER)) == named
