"""The backends that a platform is told to have."""

from __future__ import annotations

from models.backend_list import ListedBackend, parse_backends
from models.errors import Refused
from models.settings import Settings
from tasks.workshop_files import read_text

_NUMBER = 1


def listed_backends(settings: Settings) -> tuple[ListedBackend, ...]:
    """Return the backends of the operator's file, or without one this machine; at least one, by number.

    Raises:
        Refused: backends_file_wrong, naming each problem.

    """
    path = settings.backends_file
    if path is None:
        return (_this_machine(settings),)
    text, problems = read_text(path, str(path))
    listed: tuple[ListedBackend, ...] = ()
    if text is not None:
        listed, problems = parse_backends(text, str(path))
    if problems:
        raise Refused("\n".join(map(str, problems)), reason="backends_file_wrong")
    return listed


def _this_machine(settings: Settings) -> ListedBackend:
    # Its name is the operator's to choose, and was never held against the rules for names of machines.
    return ListedBackend.model_construct(
        name=settings.backend_name,
        number=_NUMBER,
        hub_url=settings.url("hub"),
        hub_api_url=f"http://127.0.0.1:{settings.port('hub_api')}",
        seats=settings.seats,
    )
