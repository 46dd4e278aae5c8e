"""CRLs in gzip: half as long, with a validator of their own, and the same list inside."""

import gzip
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from server import public_gzip
from server.public_answer import Sent
from server.public_crl import CrlAnswer, CrlFiles
from server.public_gzip import Copies, accepts_gzip
from tests.support.ca_builders import NOW

ACCEPTED = {"HTTP_ACCEPT_ENCODING": "gzip, deflate"}


def a_crl(entries: int, number: int = 1) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
    revoked = [
        x509.RevokedCertificateBuilder(int.from_bytes(os.urandom(16)) | 1 << 127, NOW).build()
        for _ in range(entries)
    ]
    builder = x509.CertificateRevocationListBuilder(
        name, NOW - timedelta(hours=1), NOW + timedelta(days=1), revoked_certificates=revoked
    )
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    key = ec.generate_private_key(ec.SECP256R1())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def answer(files: CrlFiles, path: Path, asked: dict[str, str]) -> tuple[CrlAnswer, bytes]:
    found = files.answer(path, asked, NOW)
    assert found is not None
    return found, b"" if found.body is None else b"".join(found.body)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "issuing.crl").write_bytes(a_crl(500))
    return tmp_path / "issuing.crl"


def test_the_compressed_copy_holds_the_list_and_is_shorter(path: Path) -> None:
    files = CrlFiles()
    for _ in range(2):
        found, body = answer(files, path, ACCEPTED)
        headers = dict(found.headers)
        assert (found.status, headers["Content-Encoding"]) == ("200 OK", "gzip")
        assert gzip.decompress(body) == path.read_bytes()
        assert len(body) < 0.7 * path.stat().st_size


def test_each_encoding_has_a_validator_of_its_own_and_says_on_what_it_depends(path: Path) -> None:
    files = CrlFiles()
    plain, packed = (dict(answer(files, path, asked)[0].headers) for asked in ({}, ACCEPTED))
    assert plain["ETag"] != packed["ETag"]
    assert plain["Vary"] == packed["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain
    for asked, tag, status in (
        (ACCEPTED, packed["ETag"], "304 Not Modified"),
        (ACCEPTED, plain["ETag"], "200 OK"),
        ({}, packed["ETag"], "200 OK"),
        ({}, plain["ETag"], "304 Not Modified"),
    ):
        found, body = answer(files, path, asked | {"HTTP_IF_NONE_MATCH": tag})
        assert found.status == status
        assert bool(body) == (status == "200 OK")
        assert dict(found.headers)["Vary"] == "Accept-Encoding"


def test_a_part_is_one_of_the_list_itself(path: Path) -> None:
    found, body = answer(CrlFiles(), path, ACCEPTED | {"HTTP_RANGE": "bytes=10-19"})
    assert found.status == "206 Partial Content"
    assert body == path.read_bytes()[10:20]
    assert "Content-Encoding" not in dict(found.headers)


def test_a_list_that_replaces_another_is_compressed_anew(path: Path) -> None:
    files = CrlFiles()
    _, before = answer(files, path, ACCEPTED)
    path.with_suffix(".new").write_bytes(a_crl(600, 2))
    path.with_suffix(".new").rename(path)
    _, after = answer(files, path, ACCEPTED)
    assert gzip.decompress(after) == path.read_bytes()
    assert before != after


def test_who_reads_slowly_gets_the_copy_that_was_begun(path: Path) -> None:
    files, old = CrlFiles(), path.read_bytes()
    slow, other = (files.answer(path, ACCEPTED, NOW) for _ in range(2))
    assert slow is not None
    assert other is not None
    assert isinstance(slow.body, Sent)
    assert isinstance(other.body, Sent)
    path.with_suffix(".new").write_bytes(a_crl(600, 2))
    path.with_suffix(".new").rename(path)
    answer(files, path, ACCEPTED)
    other.body.close()
    assert gzip.decompress(b"".join(slow.body)) == old


def test_a_short_list_and_one_that_gains_nothing_are_sent_as_they_are(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(a_crl(3))
    assert "Content-Encoding" not in dict(answer(CrlFiles(), path, ACCEPTED)[0].headers)
    path.write_bytes(a_crl(100))
    monkeypatch.setattr(public_gzip, "_WORTH", 0.01)
    files = CrlFiles()
    for _ in range(2):
        found, body = answer(files, path, ACCEPTED)
        assert "Content-Encoding" not in dict(found.headers)
        assert body == path.read_bytes()


def test_while_a_copy_is_made_and_where_there_is_no_room_the_list_is_sent_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = Copies()
    with path.open("rb") as file:
        with copies._at_work:
            assert copies.of(path, '"a"', file, path.stat().st_size) is None
        monkeypatch.setattr(public_gzip.tempfile, "TemporaryFile", _no_room)
        assert copies.of(path, '"a"', file, path.stat().st_size) is None
        monkeypatch.undo()
        assert copies.of(path, '"a"', file, path.stat().st_size) is not None


def _no_room() -> None:
    raise OSError(28, "No space left on device")


def test_many_threads_read_one_copy(path: Path) -> None:
    files, whole = CrlFiles(), path.read_bytes()
    answer(files, path, ACCEPTED)
    read: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: read.append(answer(files, path, ACCEPTED)[1]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [gzip.decompress(each) for each in read] == [whole] * 8


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("br , gzip ; q=1.0", True),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzipped", False),
        ("identity", False),
        ("*", False),
        ("gzip;q=x", False),
    ],
)
def test_what_a_client_accepts(header: str, accepted: bool) -> None:  # noqa: FBT001 - by pytest
    assert accepts_gzip(header) is accepted
