"""Route: the pictures in the introductions of workshops."""

from __future__ import annotations

import re

from fastapi import APIRouter, Response

from models.errors import Refused
from models.store.pictures import picture
from ui.api.parts import DatabaseHere, refusals

_NAME = re.compile(r"[0-9a-f]{24}\.(?:png|jpg|gif|webp|svg)")

# A name is made of the bytes, so what is behind it never changes. A picture that is opened as a page of its
# own, as SVG can be, must run nothing.
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
}

router = APIRouter(prefix="/api/v1", tags=["workshops"])


@router.get(
    "/workshops/{key}/pictures/{name}",
    response_class=Response,
    responses=refusals("picture_unknown")
    | {200: {"description": "The picture.", "content": {"image/*": {"schema": {"type": "string"}}}}},
)
async def read_picture(key: str, name: str, database: DatabaseHere) -> Response:
    """Return a picture that the introduction of a workshop shows."""
    if not _NAME.fullmatch(name) or not key.isprintable():
        raise Refused("There is no such picture.", reason="picture_unknown")
    async with database.transaction() as session:
        found = await picture(session, key, name)
    return Response(found.content, media_type=found.media_type, headers=_HEADERS)
