"""What can go wrong in publication.

PublicationError
 +-- EntryRefused               a text of an entry is not fit for a directory
 +-- DirectoryError             an operation on one directory did not succeed
      +-- DirectoryUnavailable  it cannot be spoken with now; try again later
      +-- DirectoryRefused      it answered, and said no

LDAP diagnostics hold names of persons. So these errors carry the name of the directory, an
attribute type, or a result code, and never a DN, a value or a server's message.
"""


class PublicationError(Exception):
    """Something was not published, or not withdrawn."""


class DirectoryError(PublicationError):
    """An operation on one directory did not succeed."""

    def __init__(self, directory: str, code: str) -> None:
        """Carry our name for the directory and a result code (RFC 4511 appendix A) or class."""
        super().__init__(f"{directory}: {code}")
        self.directory = directory
        self.code = code


class DirectoryUnavailable(DirectoryError):
    """The directory is down, silent, busy, or not the one its TLS certificate should name."""


class DirectoryRefused(DirectoryError):
    """The directory answered with a refusal, or its answer is not the one wanted."""


class EntryRefused(PublicationError, ValueError):
    """A text of an entry would deceive a reader or break a tool; the text is not carried."""

    def __init__(self, attribute: str, reason: str) -> None:
        """Carry the attribute type and the rule that refused."""
        super().__init__(f"{attribute}: {reason}")
        self.attribute = attribute
        self.reason = reason
