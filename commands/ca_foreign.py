"""`tillid ca`, its verbs between our authorities and foreign ones."""

from pathlib import Path

import click

from commands.ca_change import at_hand, told, with_online
from commands.files import OutFile, check_place, read_octets, write_octets
from commands.installation import installation
from commands.output import Result, verb


def add_to(group: click.Group) -> None:
    """Make the verbs of this module those of the group."""
    for declare in (_request, _install, _cross, _export):
        declare(group)


def _request(group: click.Group) -> None:
    @verb(group, example="tillid ca request partner --out partner.csr")
    @click.argument("name")
    @click.option(
        "--out", required=True, type=OutFile(stdout=False), help="Where the request goes."
    )
    @with_online
    def request(name: str, out: Path, online: bool) -> Result:  # noqa: FBT001 - click's way
        """Write the request of an authority to a foreign one, signed in its token.

        Under a foreign root, make the authority first: tillid ca create NAME --external. Under our
        own, what comes back is a cross-certificate.
        """
        from server.authorities import request_authority
        from server.clock import utc_now

        check_place(out)
        with at_hand(online) as parts:
            pem = request_authority(parts, name, utc_now())
        write_octets(out, pem, "The request was signed")
        said = f"The request is in {out}; bring what it leads to with: tillid ca install {name}."
        return Result({"issuer": name, "out": str(out)}, (said,))


def _install(group: click.Group) -> None:
    @verb(group, example="tillid ca install partner --certificate it.pem --chain above.pem")
    @click.argument("name")
    @click.option("--certificate", required=True, help="The certificate, PEM or DER.")
    @click.option("--chain", help="Those above it up to the foreign root, PEM, in order.")
    @click.option("--cross", is_flag=True, help="It is a cross-certificate beside our own one.")
    @click.option("--yes", is_flag=True, help="Do not ask about the foreign root.")
    def install(name: str, certificate: str, chain: str | None, cross: bool, yes: bool) -> Result:  # noqa: FBT001 - click's way
        """Install a certificate that a foreign authority made for a key of ours.

        Key, name, extensions, path length, validity and the signatures of the chain are checked.
        """
        from ca.foreign_certificates import read_certificates
        from ca.hierarchy import fingerprint
        from ca.issuers import CertificateKind
        from server.authorities import install_certificate
        from server.clock import utc_now

        own = read_certificates(read_octets(certificate))
        above = read_certificates(read_octets(chain)) if chain else ()
        offered = (*own, *above)
        root = fingerprint(offered[-1])
        if not yes:
            click.echo(f"The chain ends in SHA-256 {root}", err=True)
            click.confirm("Is that the foreign root's fingerprint?", abort=True, err=True)
        kind = CertificateKind.CROSS if cross else CertificateKind.OWN
        with at_hand(online=False) as parts:
            return told(install_certificate(parts, name, offered, kind, utc_now()))


def _cross(group: click.Group) -> None:
    @verb(group, example="tillid ca cross root --request them.csr --out them.pem --online")
    @click.argument("name")
    @click.option("--request", required=True, help="Their PKCS#10 request or self-signed root.")
    @click.option(
        "--profile", default="cross", show_default=True, help="A profile, or the file of one."
    )
    @click.option("--out", required=True, type=OutFile(stdout=False), help="Where it goes.")
    @with_online
    def cross(name: str, request: str, profile: str, out: Path, online: bool) -> Result:  # noqa: FBT001 - click's way
        """Certify a foreign authority's key, held to the names and policies of a profile."""
        from cryptography.hazmat.primitives.serialization import Encoding

        from ca.hierarchy import fingerprint
        from ca.identifiers import SerialNumber
        from ca.profiles import load_profile, parse_profile
        from server.authorities import cross_certify, current
        from server.clock import utc_now

        octets = read_octets(request)
        is_file = Path(profile).suffix == ".toml"
        read = parse_profile(read_octets(profile), profile) if is_file else load_profile(profile)
        check_place(out, request, *([profile] if is_file else []))
        with at_hand(online) as parts:
            made = cross_certify(parts, name, octets, read, utc_now())
            place = f"{current(parts, name).name}/{SerialNumber(made.serial_number).hex}"
        done = f"Cross-certificate {place} was issued"
        way_out = f"Make room, then: tillid cert export {place} --out FILE"
        write_octets(out, made.public_bytes(Encoding.PEM), done, way_out)
        facts = {"issuer": name, "out": str(out), "fingerprint": fingerprint(made)}
        return Result(facts, (f"The cross-certificate is in {out}.",))


def _export(group: click.Group) -> None:
    @verb(group, example="tillid ca export root --out root.pem")
    @click.argument("name", metavar="ISSUER")
    @click.option("--out", required=True, type=OutFile(stdout=False), help="Where the PEM goes.")
    def export(name: str, out: Path) -> Result:
        """Write every certificate of an issuer's key, the newest first: own, links, cross."""
        from cryptography.hazmat.primitives.serialization import Encoding

        from ca.hierarchy import fingerprint

        with installation() as parts:
            record = parts.issuers.get(name)
        newest_first = tuple(reversed(record.certificates))
        pem = b"".join(each.certificate.public_bytes(Encoding.PEM) for each in newest_first)
        write_octets(out, pem)
        facts = [
            {"kind": each.kind, "fingerprint": fingerprint(each.certificate)}
            for each in newest_first
        ]
        said = f"{len(facts)} certificates are in {out}."
        return Result({"issuer": name, "out": str(out), "certificates": facts}, (said,))
