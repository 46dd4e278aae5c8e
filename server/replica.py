"""OCSP responses as a public node reads them: served only while its database is fresh enough.

A replica cannot know what it has not received, so that a revocation is not seen there by looking
at the status version. What it can know is how long ago it heard of the primary.
"""

import time
from collections.abc import Mapping
from datetime import timedelta

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database
from records.errors import DatabaseUnavailable
from records.ocsp_responses import OcspResponses
from revocation.cert_ids import CertIdHash
from revocation.errors import StatusUnavailable
from revocation.preproduction import PreproducedResponse
from server.clock import utc_now
from server.heartbeat import age_of_records

_LOOK_SECONDS = 1.0


class ReplicaResponses(OcspResponses):
    """The responses of every issuer, while the records are no older than `limit`."""

    def __init__(self, database: Database, limit: timedelta) -> None:
        """Use the database."""
        super().__init__(database)
        self._records = database
        self._limit = limit
        self._seen_fresh = float("-inf")

    def find(
        self, name: IssuerName, serial: SerialNumber, cert_id_hash: CertIdHash
    ) -> PreproducedResponse | None:
        """The response for this CertID, as far as it can be told.

        Raises:
            StatusUnavailable: the database does not answer, or lags.
        """
        try:
            if time.monotonic() - self._seen_fresh > _LOOK_SECONDS:
                self.require_fresh()
        except DatabaseUnavailable:
            raise StatusUnavailable from None
        return super().find(name, serial, cert_id_hash)

    def changed(
        self, known: Mapping[IssuerName, int]
    ) -> dict[IssuerName, tuple[int, list[SerialNumber]]]:
        """Issuers whose status version is not the one known; no news is told while it lags."""
        self.require_fresh()
        return super().changed(known)

    def require_fresh(self) -> None:
        """Look whether the records are fresh enough. Raises: DatabaseUnavailable."""
        before = time.monotonic()
        if age_of_records(self._records, utc_now()) > self._limit:
            raise DatabaseUnavailable("the replica lags behind the primary")
        self._seen_fresh = before
