"""Bad input on the running public listener: the standard's answer, quickly, and it lives on."""

import random
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.identifiers import SerialNumber
from revocation import der
from tests.support.ocsp_client import issuer_hashes
from tests.support.raw_http import Reply, request, sent
from tests.support.status_town import Town

OCSP = "/ocsp/issuing-2"
SHA1 = der.oid("1.3.14.3.2.26")
QUICKLY = 5.0  # seconds, on a machine that others use as well
ROUTES = ("/healthz", "/readyz", "/crl/root.crl", "/ca/root.cer", "/ca/issuing.p7c")
SUCCESSFUL = ocsp.OCSPResponseStatus.SUCCESSFUL
MALFORMED = ocsp.OCSPResponseStatus.MALFORMED_REQUEST
UNAUTHORIZED = ocsp.OCSPResponseStatus.UNAUTHORIZED


@pytest.fixture
def port(town: Town) -> Iterator[int]:
    """The listener's port; afterwards the listener answers as before, by the same worker."""
    found = int(town.service.environment["TILLID_PUBLIC__PORT"])
    yield found
    assert sent(found, request("POST", OCSP, body=asked(town))).status == 200
    log = (town.service.state / "logs" / "public-process.log").read_text()
    assert log.count("Started worker-1") == 1
    assert "Unexpected exit" not in log


def asked(town: Town, nonce: bytes | None = None, name: str = "good") -> bytes:
    """A good question about a good certificate."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate(town, name),
        certificate(town, f"{name}.issuer"),
        hashes.SHA1(),  # noqa: S303 - what clients send
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def certificate(town: Town, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((town.party.folder / f"{name}.pem").read_bytes())


def question(town: Town, count: int, algorithm: bytes = SHA1) -> bytes:
    """A question about so many random serials."""
    hashed = b"".join(map(der.octet_string, issuer_hashes(certificate(town, "issuing-2"))))
    named = der.sequence(algorithm, der.NULL)
    listed = (
        der.sequence(der.sequence(named, hashed, der.integer(SerialNumber.random())))
        for _ in range(count)
    )
    return der.sequence(der.sequence(der.sequence(*listed)))


def answer(reply: Reply) -> ocsp.OCSPResponse:
    assert (reply.status, reply.headers["content-type"]) == (200, "application/ocsp-response")
    assert reply.seconds < QUICKLY
    return ocsp.load_der_ocsp_response(reply.body)


def is_answered_by_the_standard(reply: Reply) -> bool:
    """Closed, refused by HTTP, or a malformedRequest: nothing else is right for junk."""
    assert reply.seconds < QUICKLY
    if reply.status == 200:
        return ocsp.load_der_ocsp_response(reply.body).response_status is MALFORMED
    return reply.status == 0 or 400 <= reply.status < 500


def is_good(reply: Reply) -> bool:
    return answer(reply).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_random_octets_are_no_http(port: int) -> None:
    chance = random.Random(20260301)  # noqa: S311 - repeatable on purpose
    for _ in range(200):
        octets = chance.randbytes(chance.choice((1, 17, 300, 5000))) + b"\r\n\r\n"
        assert is_answered_by_the_standard(sent(port, octets, ends=True))


def test_a_request_is_cut_off_after_any_octet(town: Town, port: int) -> None:
    for whole in (
        request("POST", OCSP, body=asked(town)),
        request("GET", f"{OCSP}/{quote(b64encode(asked(town)).decode(), safe='')}"),
    ):
        for length in range(len(whole)):
            assert is_answered_by_the_standard(sent(port, whole[:length], ends=True))
        assert is_good(sent(port, whole))


def test_a_question_is_cut_off_after_any_octet(town: Town, port: int) -> None:
    whole = asked(town, nonce=bytes(16))
    for length in range(len(whole)):
        by_post = sent(port, request("POST", OCSP, body=whole[:length]))
        assert answer(by_post).response_status is MALFORMED
        by_get = sent(port, request("GET", f"{OCSP}/{b64encode(whole[:length]).decode()}"))
        assert by_get.status == 405 if not length else answer(by_get).response_status is MALFORMED


@pytest.mark.parametrize("target", [OCSP, "/crl/root.crl", "/", "/ocsp/nobody"])
def test_ten_megabytes_are_answered_and_not_read(port: int, target: str) -> None:
    reply = sent(port, request("POST", target, body=bytes(10_000_000)))
    if target == OCSP:
        assert answer(reply).response_status is MALFORMED
    else:
        assert reply.status == {"/crl/root.crl": 405}.get(target, 404)
    assert reply.seconds < QUICKLY


def test_ten_megabytes_in_chunks_are_answered_and_not_read(port: int) -> None:
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    head = request("POST", OCSP, "Transfer-Encoding: chunked")
    reply = sent(port, [head, *[chunk] * 10, b"0\r\n\r\n"])
    assert answer(reply).response_status is MALFORMED


@pytest.mark.parametrize(
    "kind", ["", "text/html", "application/ocsp-response", "\xff/é", "a" * 900]
)
def test_the_content_type_of_a_question_does_not_matter(town: Town, port: int, kind: str) -> None:
    assert is_good(sent(port, request("POST", OCSP, f"Content-Type: {kind}", body=asked(town))))


def test_a_body_comes_in_chunks_of_any_size(town: Town, port: int) -> None:
    body = asked(town, nonce=bytes(32))
    for size in (1, 7, len(body)):
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        head = request("POST", OCSP, "Transfer-Encoding: chunked")
        assert is_good(sent(port, [head, *chunks, b"0\r\n\r\n"]))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 200),
        (("Content-Length: 0",), 200),
        (("Content-Length: -1",), 400),
        (("Content-Length: 1", "Content-Length: 2"), 400),
        (("Content-Length: 99999999999999999999999",), 400),
        (("Content-Length: ten",), 400),
        (("Transfer-Encoding: gzip",), 400),
    ],
)
def test_a_body_without_a_length_that_counts_is_no_question(
    port: int, headers: tuple[str, ...], status: int
) -> None:
    reply = sent(port, request("POST", OCSP, *headers))
    assert reply.status == status
    assert is_answered_by_the_standard(reply)


@pytest.mark.parametrize(
    ("count", "said"), [(1, SUCCESSFUL), (10, SUCCESSFUL), (11, MALFORMED), (10_000, MALFORMED)]
)
def test_more_than_ten_certificates_are_a_malformed_request(
    town: Town, port: int, count: int, said: ocsp.OCSPResponseStatus
) -> None:
    reply = sent(port, request("POST", OCSP, body=question(town, count)))
    assert answer(reply).response_status is said


@pytest.mark.parametrize("algorithm", ["1.2.840.113549.2.5", "2.16.840.1.101.3.4.2.10", "1.2.3.4"])
def test_a_question_with_an_unknown_hash_is_nobodys(town: Town, port: int, algorithm: str) -> None:
    reply = sent(port, request("POST", OCSP, body=question(town, 1, der.oid(algorithm))))
    assert answer(reply).response_status is UNAUTHORIZED


def test_a_question_about_another_issuer_is_nobodys(town: Town, port: int) -> None:
    reply = sent(port, request("POST", OCSP, body=asked(town, name="older-good")))
    assert answer(reply).response_status is UNAUTHORIZED


def test_a_request_in_the_path_is_read_however_it_is_written(town: Town, port: int) -> None:
    # In base64 these octets are slashes and pluses, if they begin where a group of it does.
    nonces = (bytes(shift) + b"\xff\xff\xff\xfb\xef\xbe" * 3 + bytes(size)
              for shift in range(3) for size in range(3))  # fmt: skip
    texts = (b64encode(asked(town, nonce)).decode() for nonce in nonces)
    text = next(one for one in texts if "//" in one and "+" in one and one.endswith("="))
    once, twice = quote(text, safe=""), quote(quote(text, safe=""), safe="")
    small = once.replace("%2B", "%2b").replace("%2F", "%2f")
    for spelled in (text, quote(text), once, twice, small, text.replace("+", "%20")):
        assert is_good(sent(port, request("GET", f"{OCSP}/{spelled}"))), spelled


@pytest.mark.parametrize(
    "text",
    [
        *(
            "!",
            "MAA",
            "%",
            "%zz",
            "====",
            "%ff%fe",
            "%00",
            "MAA=%0d%0a",
            "MAA=?MAA=",
            "MAA=#",
            "-_",
        ),
        *("/", "//", "///MAA=", "../../crl/root.crl", "%2e%2e%2f", "MAA=" * 5_000),
    ],
)
def test_junk_in_the_path_is_a_malformed_request(port: int, text: str) -> None:
    reply = sent(port, request("GET", f"{OCSP}/{text}"))
    assert is_answered_by_the_standard(reply)


@pytest.mark.parametrize("length", [70_000, 1_000_000])
def test_an_over_long_address_is_refused(port: int, length: int) -> None:
    reply = sent(port, request("GET", f"{OCSP}/{'A' * length}"))
    assert reply.status in {414, 431}


def test_over_long_and_too_many_headers_are_refused(port: int) -> None:
    for headers in (["X: " + "a" * 1_000_000], [f"X{number}: a" for number in range(500)]):
        assert sent(port, request("GET", "/healthz", *headers)).status == 431


@pytest.mark.parametrize("place", ["crl", "ca", "ocsp", "healthz", "audit", "", ".."])
@pytest.mark.parametrize("up", ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "%252e%252e%252f"])
def test_no_path_leads_out_of_its_place(town: Town, port: int, place: str, up: str) -> None:
    kept = [town.service.state / "tillid.sqlite", Path("/etc/passwd")]
    assert all(file.exists() for file in kept)
    for above in range(1, 9):
        for name in ("tillid.sqlite", "tillid.toml", "etc/passwd", "public/crl/root.crl"):
            for ending in ("", ".crl", "%00.crl", ".cer"):
                reply = sent(port, request("GET", f"/{place}/{up * above}{name}{ending}"))
                assert is_answered_by_the_standard(reply)
                assert b"SQLite" not in reply.body
                assert b"root:" not in reply.body


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_what_is_only_read_takes_no_other_method(port: int, route: str, method: str) -> None:
    reply = sent(port, request(method, route, body=b"abc"))
    assert (reply.status, reply.headers["allow"], reply.body) == (405, "GET, HEAD", b"")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_ocsp_takes_no_other_method(town: Town, port: int, method: str) -> None:
    reply = sent(port, request(method, OCSP, body=asked(town)))
    assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")


def test_a_head_has_the_headers_of_a_get_and_no_body(town: Town, port: int) -> None:
    for route in (*ROUTES, f"{OCSP}/{quote(b64encode(asked(town)).decode(), safe='')}"):
        head, get = (sent(port, request(method, route)) for method in ("HEAD", "GET"))
        assert (head.status, head.body) == (get.status, b"") == (200, b"")
        assert head.headers["content-length"] == str(len(get.body))
        assert {*head.headers} == {*get.headers}


def test_of_hundreds_of_random_serials_none_is_good(town: Town, port: int) -> None:
    seen = set()
    for _ in range(30):
        reply = sent(port, request("POST", OCSP, body=question(town, 10)))
        assert answer(reply).response_status is SUCCESSFUL
        seen |= {single.certificate_status for single in answer(reply).responses}
    assert seen == {ocsp.OCSPCertStatus.UNKNOWN}
