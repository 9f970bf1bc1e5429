"""Log-ins at the hub: only for users that the engine has made, by the password of their seat."""

# Checked where jupyterhub is not installed.
# mypy: disable-error-code="misc, has-type"

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator, PAMAuthenticator
from jupyterhub.utils import maybe_future
from traitlets import Unicode


class SeatAuthenticator(Authenticator):
    """Refuses everybody else before any password is looked at, so that it tells nothing about accounts."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> Any:
        """Return the user's name if the password is right; blanks around it come from copying it."""
        name = self.normalize_username(data["username"])
        if name not in self.allowed_users:
            return None
        return await self.check_password(handler, {"username": name, "password": data["password"].strip()})

    async def check_password(self, handler: Any, data: dict[str, str]) -> Any:
        """Return the name of a user that may log in if the password is right."""
        raise NotImplementedError


class AccountAuthenticator(SeatAuthenticator, PAMAuthenticator):
    """Seats are accounts of the system."""

    async def check_password(self, handler: Any, data: dict[str, str]) -> Any:
        """Return the user's name if the system accepts the password, and the account is not locked."""
        return await maybe_future(PAMAuthenticator.authenticate(self, handler, data))


class FolderAuthenticator(SeatAuthenticator):
    """Seats are folders; their records hold the hash of the password while they are open."""

    records = Unicode(help="Folder of the seats' records.").tag(config=True)

    async def check_password(self, handler: Any, data: dict[str, str]) -> Any:
        """Return the user's name if the seat is open and the password is right."""
        record = Path(self.records) / f"{data['username']}.json"
        is_right = await asyncio.to_thread(is_password_right, record, data["password"])
        return data["username"] if is_right else None


def is_password_right(record: Path, password: str) -> bool:
    """Tell whether a seat's record is of an open seat with this password."""
    try:
        known = json.loads(record.read_text())["password"]
    except (OSError, ValueError, KeyError):
        return False
    cost = {name: known[name] for name in ("n", "r", "p")}
    key = hashlib.scrypt(password.encode(), salt=bytes.fromhex(known["salt"]), **cost)
    return hmac.compare_digest(key, bytes.fromhex(known["hash"]))
