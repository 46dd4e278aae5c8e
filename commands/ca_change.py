"""`tillid ca`, its verbs that make, configure, renew and retire authorities."""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from commands.installation import OPERATOR, installation
from commands.output import Result, Table, verb
from commands.token_names import TokenName, check_token

if TYPE_CHECKING:
    from ca.hierarchy import CeremonyStep
    from ca.issuers import IssuerPolicy
    from server.assembly import Assembly

KEY_KINDS = (
    "EC-P256",
    "EC-P384",
    "EC-P521",
    "RSA-3072",
    "RSA-4096",
    "RSA-3072-PSS",
    "RSA-4096-PSS",
)

Verb = Callable[..., Result]


def with_online(function: Verb) -> Verb:
    """The option that brings the tokens of roots online for one verb."""
    return click.option(
        "--online", is_flag=True, help="Use the token of a root, which is at hand now."
    )(function)


@contextmanager
def at_hand(online: bool) -> Iterator["Assembly"]:  # noqa: FBT001 - click's way
    """The installation, with the tokens of its roots online if that was said."""
    from records.issuers import Issuers

    with installation() as joined:
        parts = dataclasses.replace(joined, issuers=Issuers(joined.database, OPERATOR))
        roots = {record.token for record in parts.issuers.all() if record.is_root}
        labels = {parts.settings.hsm.root_token, *roots} if online else set()
        with parts.tokens.online(*labels):
            yield parts


def told(steps: "Iterable[CeremonyStep]", *said: str) -> Result:
    """The steps of a use case, told while they are taken and then as the result."""
    done = []
    for step in steps:
        done.append(step)
        if sys.stderr.isatty():
            click.echo(f"{step.issuer}: {step.done}", err=True)
    facts = [{"issuer": s.issuer, "done": s.done, "fingerprint": s.fingerprint} for s in done]
    rows = tuple((s.issuer, s.done, s.fingerprint) for s in done)
    table = Table(("Issuer", "Done", "Fingerprint"), rows) if rows else None
    return Result({"steps": facts}, said if done else ("There was nothing to do.",), table)


def _policy_options(function: Verb) -> Verb:
    options: list[Callable[[Verb], Verb]] = [
        click.option(
            "--issue-profile",
            "profiles",
            multiple=True,
            help="A profile that it may issue under; once for each, all when none is named.",
        ),
        click.option(
            "--crl-validity-hours",
            type=click.IntRange(1, 8784),
            help="Hours from thisUpdate to nextUpdate of its CRLs, else as the settings say.",
        ),
        click.option(
            "--crl-margin-hours",
            type=click.IntRange(1, 8783),
            help="Hours before nextUpdate when the next CRL is made.",
        ),
        click.option(
            "--crl-shards",
            type=click.IntRange(0, 10_000),
            default=0,
            help="Spread certificates from now on over so many CRLs beside the complete one.",
        ),
        click.option("--crl-deltas", is_flag=True, help="Make a delta CRL with each complete one."),
        click.option(
            "--crl-keep-expired-days",
            type=click.IntRange(0, 36_525),
            default=0,
            help="Keep revoked certificates listed so long after they expired.",
        ),
        click.option(
            "--ocsp-validity-minutes",
            type=click.IntRange(1, 14_400),
            help="Minutes of its OCSP responses, where more than ocsp.validity_minutes.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _policy(given: dict[str, Any]) -> "IssuerPolicy":
    from ca.issuers import IssuerPolicy

    validity, margin = given["crl_validity_hours"], given["crl_margin_hours"]
    ocsp = given["ocsp_validity_minutes"]
    try:
        return IssuerPolicy(
            given["profiles"],
            None if validity is None else timedelta(hours=validity),
            None if margin is None else timedelta(hours=margin),
            given["crl_shards"],
            given["crl_deltas"],
            timedelta(days=given["crl_keep_expired_days"]),
            None if ocsp is None else timedelta(minutes=ocsp),
        )
    except ValueError as error:
        raise click.UsageError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def add_to(group: click.Group) -> None:
    """Make the verbs of this module those of the group."""
    for declare in (_create, _configure, _renew, _rekey, _retire):
        declare(group)


def _create(group: click.Group) -> None:
    @verb(
        group,
        example="tillid ca create servers --parent root --profile issuing --online"
        " --organisation 'Example CA' --common-name 'Example Servers CA'",
    )
    @click.argument("name")
    @click.option("--parent", help="The authority that certifies it; none for a root.")
    @click.option("--external", is_flag=True, help="A foreign authority will certify it.")
    @click.option("--profile", default="issuing", show_default=True, help="Of its certificate.")
    @click.option("--organisation", required=True, help="Name of the organisation, as certified.")
    @click.option("--country", default="DK", show_default=True, help="ISO 3166 code.")
    @click.option("--common-name", required=True, help="Its own name, as certified.")
    @click.option(
        "--token", type=TokenName(), help="Its token, else as hsm.issuing_token or root_token."
    )
    @click.option("--key-label", help="Label of its key alone, else NAME-ca.")
    @click.option("--key", type=click.Choice(KEY_KINDS), default="EC-P256", show_default=True)
    @click.option("--url", help="Base of its CRL, OCSP and certificate addresses.")
    @_policy_options
    @with_online
    def create(**given: Any) -> Result:
        """Make an authority: its key in a token, its certificate, its first CRL and OCSP signer.

        Without --parent it is a root. Run again, it finishes what was interrupted.
        """
        from ca.identifiers import IssuerName
        from ca.names import SubjectName
        from server.authorities import NewAuthority, create_authority
        from server.clock import utc_now
        from server.settings_types import check_url

        try:
            name = IssuerName(given["name"])
            above = IssuerName(given["parent"]) if given["parent"] else name
            url = check_url(given["url"], ("http", "https")) if given["url"] else None
        except ValueError as error:
            raise click.UsageError(f"{error}.") from None
        if given["external"] and given["parent"]:
            raise click.UsageError("An authority has a --parent here or an --external one.")
        subject = [("C", given["country"]), ("O", given["organisation"])]
        subject.append(("CN", given["common_name"]))
        is_root = above == name and not given["external"]
        policy = _policy(given)
        with at_hand(given["online"]) as parts:
            hsm = parts.settings.hsm
            asked = NewAuthority(
                name,
                None if given["external"] else above,
                given["profile"],
                SubjectName.of(subject),
                given["token"] or (hsm.root_token if is_root else hsm.issuing_token),
                given["key_label"] or f"{name}-ca",
                given["key"],
                url or parts.settings.public.url,
                policy,
            )
            online = (asked.token,) if is_root and given["online"] else ()
            others = [record.token for record in parts.issuers.all()]
            check_token(parts.tokens, asked.token, others)
            with parts.tokens.online(*online):
                return told(create_authority(parts, asked, utc_now()))


def _configure(group: click.Group) -> None:
    @verb(group, example="tillid ca configure servers --issue-profile tls-server")
    @click.argument("name")
    @_policy_options
    def configure(name: str, **given: Any) -> Result:
        """Say what an issuer may issue and how its CRLs are dated; what is left out is the default.

        It replaces all that was said before. Certificates that are out are not touched.
        """
        from server.authorities import check_policy
        from server.clock import utc_now

        policy, profiles = _policy(given), given["profiles"]
        check_policy(policy)
        with at_hand(online=False) as parts:
            record = parts.issuers.get(name)
            if record.policy != policy:
                parts.issuers.configure(record.name, policy, utc_now())
        may = ", ".join(profiles) or "every profile that its place allows"
        return Result({"issuer": name, "profiles": list(profiles)}, (f"{name} may issue {may}.",))


def _renew(group: click.Group) -> None:
    @verb(group, example="tillid ca renew issuing --online")
    @click.argument("name")
    @with_online
    def renew(name: str, online: bool) -> Result:  # noqa: FBT001 - click's way
        """Certify the key of an authority once more, for longer; refused while nothing is gained.

        CRL, OCSP and everything that was issued stay as they are: the key is the same.
        """
        from server.authorities import renew_authority
        from server.clock import utc_now

        with at_hand(online) as parts:
            return told([renew_authority(parts, name, utc_now())])


def _rekey(group: click.Group) -> None:
    @verb(group, example="tillid ca rekey issuing --online")
    @click.argument("name")
    @click.option("--key", type=click.Choice(KEY_KINDS), help="Its kind, else as the one before.")
    @click.option("--yes", is_flag=True, help="Do not ask; the key before issues no more.")
    @with_online
    def rekey(name: str, key: str | None, yes: bool, online: bool) -> Result:  # noqa: FBT001 - click's way
        """Give an authority a new key; the one before goes on with its CRL and OCSP answers.

        A root also signs its new key with the old and the old with the new (RFC 9810 4.4). Run
        again after an interruption, it finishes.
        """
        from server.authorities import rekey_authority
        from server.clock import utc_now

        if not yes:
            click.confirm(f"Let {name} issue with a new key from now on?", abort=True, err=True)
        with at_hand(online) as parts:
            return told(rekey_authority(parts, name, key, utc_now()))


def _retire(group: click.Group) -> None:
    @verb(group, example="tillid ca retire issuing")
    @click.argument("name", metavar="ISSUER")
    @click.option("--revoke", is_flag=True, help="Revoke first what is still valid.")
    @click.option("--yes", is_flag=True, help="Do not ask; the key is destroyed for good.")
    @with_online
    def retire(name: str, revoke: bool, yes: bool, online: bool) -> Result:  # noqa: FBT001 - click's way
        """End one issuer: no more certificates, a last CRL, and its key destroyed, for good.

        Refused while something that it issued is valid, unless --revoke says to revoke it.
        """
        from server.clock import utc_now
        from server.retirement import retire_issuer, still_valid

        with at_hand(online) as parts:
            record, now = parts.issuers.get(name), utc_now()
            if not yes and record.key_destroyed_at is None:
                count = len(still_valid(parts, record, now)) if revoke else 0
                first = f"revoke {count} certificates, then " if count else ""
                asked = f"For good: {first}retire {name} and destroy its key?"
                if click.prompt(f"{asked} Type the name", err=True) != name:
                    raise click.Abort
            return told(retire_issuer(parts, name, OPERATOR, now, revoke=revoke))
