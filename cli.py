"""The command line: `tillid NOUN VERB`.

Knows the nouns and nothing else; the module of a noun is loaded when the noun is used, so that
help is fast. Verbs are in `commands`, one module a noun.
"""

import importlib
import importlib.metadata
import io
import os
import sys

import click

from commands.failures import report_unforeseen, run

NOUNS = {
    "demo": "The whole story of one credential, played on real parts.",
    "serve": "Run the service: the public and the staff listener, and the jobs.",
    "ceremony": "Make the certificate authorities: script, rehearsal, custodians, transcript.",
    "ca": "Certificate authorities: make, renew, certify, retire, import, list, show.",
    "profile": "Certificate profiles: list and show them.",
    "officer": "Officers: invite, enrol, list, sign in to the pages.",
    "training": "Trainings of officers: record, list.",
    "application": "Applications: list, show, vet, approve as an officer; assess a case.",
    "organisation": "Legal persons: who may act for them, their registration, their seals.",
    "association": "Persons of an organisation: propose, agree, activate, suspend, end.",
    "policy": "Policies of identity proofing: list, show, check, compare; requirements of NSIS.",
    "cert": "Certificates: issue, show, status, hold, release, revoke, export, lint, verify.",
    "revocation": "Many certificates at once: plan a revocation, run it, watch it.",
    "duty": "Duties to revoke: list, open, revoke, dismiss with a second officer.",
    "crl": "Certificate revocation lists: issue and show.",
    "directory": "X.500 directories: publish, compare, mend, and what waits for them.",
    "static-files": "What relying parties fetch, as files for a web server; nginx's configuration.",
    "case": "Data-subject cases: take in, identify, prepare, approve, answer.",
    "erase": "Erasure cases: plan, request, approve, cancel, run, receipts.",
    "retention": "What is kept and until when: plan, run, legal holds, shorter periods.",
    "subject": "Everything about one person: find, show, report, package, index.",
    "ropa": "The record of processing activities (GDPR Art. 30).",
    "privacy-notice": "The privacy notice (GDPR Art. 13, 14).",
    "audit": "The audit log: verify it, read its end.",
    "db": "The database: migrate and check it.",
    "key": "The keys of personal data: show, seal, rotate.",
    "backup": "Backups of the records: create, prove, restore.",
    "hsm": "Tokens and their keys: make, list, verify, attest, change PINs.",
    "status": "What relying parties are told, how soon they see changes, and alarms.",
    "doctor": "Look at everything that is known to break, and mend what can be mended.",
    "job": "Background jobs: list them, run them now.",
    "config": "Settings: show where each value came from, explain the keys, check the file.",
}
"""Each noun with its help; its verbs are the click group `group` in commands/NOUN.py."""


class Nouns(click.Group):
    """A group that loads the module of a noun only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The nouns, in the order of the table."""
        return list(NOUNS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """The group of a noun, freshly loaded."""
        if cmd_name not in NOUNS:
            return None
        found = importlib.import_module(f"commands.{cmd_name.replace('-', '_')}").group
        if not isinstance(found, click.Command):
            raise TypeError(f"commands.{cmd_name}.group is not a command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, and with the nearest noun when there is none of that name."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=NOUNS, ctx=ctx
            ) from None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """The nouns with their helps, without loading any."""
        with formatter.section("Nouns"):
            formatter.write_dl(list(NOUNS.items()))


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if not wanted:
        return
    try:
        version = importlib.metadata.version("tillid")
    except importlib.metadata.PackageNotFoundError:
        version = "(not installed)"
    click.echo(f"tillid {version}")
    context.exit()


@click.command(cls=Nouns, epilog="Example: tillid config show")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def tillid() -> None:
    """Tillid: certificate authority and credential-lifecycle manager."""


def main() -> None:
    """The entry point `tillid`."""
    sys.excepthook = report_unforeseen
    os.umask(0o077)  # what is written here is the installation's own
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know our letters
    sys.exit(run(tillid, sys.argv[1:]))


if __name__ == "__main__":
    main()
