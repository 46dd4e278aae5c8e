"""Where the tokens of the settings are: their module, their PIN, their lock files."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from hsm.errors import PinKeptElsewhere, TokenNotFound
from hsm.login import load_for
from hsm.module import exclusive
from hsm.pins import credential, is_file, keep_pin
from hsm.softhsm import SoftHsmStore
from hsm.token import TokenLocation
from hsm.uri import SCHEME, Pkcs11Uri, token_label, token_uri
from server.settings import Hsm


def pin_descriptors(settings: Hsm, *further: Path) -> tuple[int, ...]:
    """The open descriptors that PINs are read from; a child process needs them as well."""
    named = (token_uri(name).pin_source for name in _named(settings) if name.startswith(SCHEME))
    sources = (*named, *further)
    numbers = (str(source).partition("fd:")[2] for source in sources)
    return tuple(sorted({int(number) for number in numbers if number.isdecimal()}))


def _named(settings: Hsm) -> tuple[str, ...]:
    """The tokens as the settings name them."""
    named = (
        settings.root_token,
        settings.issuing_token,
        settings.service_token,
        settings.issuing_standby,
        settings.service_standby,
        settings.ocsp_standby,
        settings.vault_standby,
    )
    return tuple(filter(None, named))


class TokenPlaces:
    """The places of one installation's tokens, each named by its label or a PKCS#11 URI."""

    def __init__(self, settings: Hsm) -> None:
        """Look at nothing yet."""
        self._settings = settings
        self._named = _named(settings)

    @property
    def store(self) -> SoftHsmStore | None:
        """The SoftHSM store of the settings, if their module is SoftHSM."""
        folder = self._settings.softhsm_directory
        return None if folder is None else SoftHsmStore(folder, self._settings.module)

    @property
    def locks(self) -> Path:
        """Where the lock files are."""
        folder = self._settings.softhsm_directory
        return self._settings.pin_directory if folder is None else folder / "locks"

    def missing(self) -> list[str]:
        """Labels of the SoftHSM tokens that the settings name and that are not there yet."""
        store = self.store
        if store is None:
            return []
        there = store.labels()
        named = [self._uri(name) for name in self._named]
        wanted = dict.fromkeys(uri.token for uri in named if uri.token and self._is_ours(uri))
        return [label for label in wanted if label not in there]

    @property
    def pins(self) -> Path:
        """Where the PIN files are."""
        store = self.store
        return self._settings.pin_directory if store is None else store.pins

    def create(self, name: str, pins: tuple[str, str] | None = None) -> TokenLocation:
        """Make a token in a free slot with random PINs, which are files from before it exists.

        `pins` for a SoftHSM token, the security officer's and the user's, are written nowhere.
        Raises: TokenUnavailable without a free slot, PinKeptElsewhere, ValueError for a label
        that would not stand in a file name.
        """
        uri, store = self._uri(name), self.store
        if not uri.token:
            raise ValueError("a token that is made needs a label")
        if store is not None and self._is_ours(uri):
            return store.create_token(uri.token, pins)
        location = self.location(name)
        if not is_file(location.pin_file):
            raise PinKeptElsewhere(str(location.pin_file))
        location.pin_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        module = load_for(location)
        with exclusive(location.login_lock):
            so_pin = keep_pin(location.pin_file.with_suffix(".so-pin"))
            pin = keep_pin(location.pin_file)
            module.initialise_token(uri.token, so_pin, pin)
        return location

    def pin_changed(self, name: str) -> None:
        """Bring the copy of SoftHSM's token.object up to date with the PIN."""
        uri, store = self._uri(name), self.store
        if store is not None and self._is_ours(uri) and uri.token in store.labels():
            store.refresh_copy(uri.token)

    def location(self, name: str) -> TokenLocation:
        """Where a token and its PIN are found. Raises: TokenNotFound, TokenUnavailable."""
        uri = self._uri(name)
        store = self.store
        if store is not None and self._is_ours(uri):
            store.activate()
            found = self._in_store(store, uri)
        else:
            found = TokenLocation(
                uri.module_path or self._settings.module,
                uri.token,
                self._pin_file(uri),
                self.locks,
                module_arguments=self._settings.module_arguments if self._is_ours(uri) else "",
            )
        return replace(found, serial=uri.serial, manufacturer=uri.manufacturer, model=uri.model)

    def _in_store(self, store: SoftHsmStore, uri: Pkcs11Uri) -> TokenLocation:
        if uri.pin_source is not None:
            return TokenLocation(self._settings.module, uri.token, uri.pin_source, self.locks)
        if not uri.token:
            raise TokenNotFound("a token without a label needs pin-source")
        return store.location(uri.token)

    def _pin_file(self, uri: Pkcs11Uri) -> Path:
        if uri.pin_source is not None:
            return uri.pin_source
        name = f"{quote(uri.token or uri.serial, safe=' ')}.pin"
        return credential(name) or self._settings.pin_directory / name

    def _is_ours(self, uri: Pkcs11Uri) -> bool:
        """Whether the token is in the module of the settings."""
        return uri.module_path in (None, self._settings.module)

    def name(self, name: str) -> str:
        """How the settings name a token of which records kept the name that it had once."""
        if name in self._named:
            return name
        label = token_label(name)
        return next((each for each in self._named if token_label(each) == label), name)

    def _uri(self, name: str) -> Pkcs11Uri:
        name = self.name(name)
        return token_uri(name) if name.startswith(SCHEME) else Pkcs11Uri(token=name)
