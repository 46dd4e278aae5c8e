"""Several nodes on one database: what one is told all of them say, whoever dies or sleeps."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest
from cryptography.x509.ocsp import OCSPCertStatus

from tests.support.nodes import (
    crl_number,
    issue,
    public_node,
    reader_of,
    revoke,
    says,
    two_nodes,
)
from tests.support.service import Service, until
from tests.support.status import crl_lists
from tests.support.workshop import Workshop

REVOKED = OCSPCertStatus.REVOKED
PROMISE = 5
"""Seconds from a revocation until OCSP says so on every node."""
LEASE = 8
PAUSE = LEASE + 7


@pytest.fixture
def nodes(workshop: Workshop, tmp_path: Path) -> Iterator[tuple[Service, Service]]:
    with two_nodes(workshop, tmp_path) as found:
        yield found


def numbers(served: dict[str, list[int]], *services: Service) -> None:
    """Note the CRL number that each serves now."""
    for service in services:
        served.setdefault(str(service.state), []).append(crl_number(service))


def counted(service: Service) -> dict[str, int]:
    """How many changes were seen in CRL and OCSP; the verb ends well while no alarm is on."""
    found = service.verb("status")["visible_seconds"]
    return {name: found[name]["changes"] if found[name] else 0 for name in ("crl", "ocsp")}


def seen_everywhere(serial: int, services: tuple[Service, ...], crl_within: float) -> None:
    for service in services:
        until("OCSP", lambda at=service: says(at, serial) is REVOKED, PROMISE)
    for service in services:
        until("the CRL", lambda at=service: crl_lists(at, serial), crl_within)


def test_whoever_is_told_all_nodes_say_it_and_the_leader_may_sleep_or_die(
    nodes: tuple[Service, Service], tmp_path: Path
) -> None:
    leader, other = nodes
    leader.start()
    serials = [issue(leader, tmp_path) for _ in range(4)]
    other.start()
    served: dict[str, list[int]] = {}
    numbers(served, leader, other)
    for by, serial in zip((leader, other), serials, strict=False):
        revoke(by, serial)
        seen_everywhere(serial, nodes, 10)
        numbers(served, leader, other)

    # The watcher, on the node with the lease, has counted both, and no alarm is on.
    until("what was counted", lambda: counted(other) == {"crl": 2, "ocsp": 2})
    seconds = other.verb("status")["visible_seconds"]
    assert seconds["ocsp"]["worst"] < PROMISE
    assert seconds["crl"]["worst"] < 60

    # The process with the lease sleeps for longer than the lease, and wakes up none the wiser.
    assert leader.process is not None
    os.kill(leader.process.pid, signal.SIGSTOP)
    try:
        revoke(other, serials[2])
        until("OCSP of the other", lambda: says(other, serials[2]) is REVOKED, PROMISE)
        until("the CRL of the other", lambda: crl_lists(other, serials[2]), 2 * PAUSE)
    finally:
        os.kill(leader.process.pid, signal.SIGCONT)
    until("the CRL of the sleeper", lambda: crl_lists(leader, serials[2]))
    numbers(served, leader, other)

    leader.kill()
    revoke(other, serials[3])
    seen_everywhere(serials[3], (other,), LEASE + 10)
    served[str(other.state)].append(crl_number(other))

    for found in served.values():
        assert found == sorted(set(found)), "CRL numbers rise"
    assert other.process is not None
    other.process.terminate()
    assert other.end_of_process(PROMISE) == 0
    for each in nodes:
        assert not (each.state / "logs" / "unforeseen.log").exists()


def test_a_node_that_may_only_read_answers_what_was_made_ahead_and_writes_the_crls(
    workshop: Workshop, tmp_path: Path
) -> None:
    with workshop.verified("postgresql") as story, ExitStack() as stack:
        whole = story.service.start()
        serial = issue(whole, tmp_path)
        public = public_node(whole, tmp_path / "public-node", reader_of(whole))
        stack.callback(public.discard)
        public.start()
        assert public.public("/readyz").body == b"ready\n"
        until("its answer", lambda: says(public, serial) is OCSPCertStatus.GOOD, PROMISE)
        assert says(public, serial + 1) is None, "what would have to be signed is told later"
        revoke(whole, serial)
        seen_everywhere(serial, (whole, public), 10)
        assert crl_number(public) == crl_number(whole)

        assert not (public.state / "softhsm").exists()
        assert not (public.state / "tls").exists()
        assert list((public.state / "public").rglob(".*")) == []
        whole.stop()
        # Without anybody who signs, it goes on with what there is.
        Event().wait(1)
        assert says(public, serial) is REVOKED
        assert public.process is not None
        public.process.terminate()
        assert public.end_of_process(PROMISE) == 0
