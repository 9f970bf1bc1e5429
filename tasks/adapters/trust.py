"""Which certificate authorities are trusted."""

from __future__ import annotations

import ssl
from pathlib import Path

from models.errors import Refused


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return trust in the authorities of this machine (OpenSSL's defaults, SSL_CERT_FILE) and those in `ca_file`.

    Raises Refused (`ca_file_wrong`).
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise Refused(
                f"The certificates in {ca_file} (setting ca_file) can't be read: {error}.", reason="ca_file_wrong"
            ) from None
    return context
