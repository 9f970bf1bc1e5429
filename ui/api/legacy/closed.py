"""What the existing system lets programs do and this one does not: each is answered with the reason."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import JSONResponse

from ui.api.legacy.answers import compatible_router
from ui.api.legacy.schemas import Message

_WORKSHOPS = "Workshops are what their folders say: change the wod.yml there, then `wod catalog sync`."
_STUDENTS = "Seats are made by the platform, as many as the settings of a backend say, and so are their passwords."
_LOCATIONS = "Backends are listed by the operator: in stack.yaml, or in the file that `backends_file` names."
_CUSTOMERS = (
    "Bookings stay, for what is counted. PUT /api/customer/unregister/{id} ends one, and students have themselves"
    " forgotten on their own page."
)

CLOSED = {
    ("DELETE", "/customer/{id}"): _CUSTOMERS,
    ("POST", "/workshop"): _WORKSHOPS,
    ("PUT", "/workshop/{id}"): _WORKSHOPS,
    ("DELETE", "/workshop/{id}"): _WORKSHOPS,
    ("POST", "/student"): _STUDENTS,
    ("PUT", "/student/{id}"): _STUDENTS,
    ("DELETE", "/student/{id}"): _STUDENTS,
    ("PUT", "/location/{id}"): _LOCATIONS,
    ("DELETE", "/location/{id}"): _LOCATIONS,
}

router = compatible_router()


def _close(method: str, path: str, why: str) -> None:
    async def refuse() -> JSONResponse:
        return JSONResponse({"message": why}, HTTPStatus.GONE)

    async def refuse_one(id: str) -> JSONResponse:  # noqa: A002
        return await refuse()

    router.add_api_route(
        path,
        refuse_one if "{id}" in path else refuse,
        methods=[method],
        name=f"{method.lower()}_{path.split('/')[1]}",
        summary=f"Closed: {method.capitalize()} {path.split('/')[1]}",
        description=f"Refused. {why}",
        status_code=HTTPStatus.GONE,
        response_model=Message,
        deprecated=True,
    )


for (_method, _path), _why in CLOSED.items():
    _close(_method, _path, _why)
