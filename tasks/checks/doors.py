"""What must be so at the doors of a stack: certificates, the API's health, Prefect's log-in, and the hubs."""

from __future__ import annotations

from urllib.parse import urlsplit

from models.errors import StepFailed
from models.tables import utc_now
from tasks.adapters.hub import Hub
from tasks.checkup import Checkup
from tasks.verdicts import Verdict, bad, good, warning

_LEAST_DAYS = 14
# Of its life: authorities that speak ACME may give certificates for a day. Caddy renews one when a third is left.
_LEAST_SHARE = 1 / 6
_HUB_SECONDS = 10.0


async def check_certificate(checkup: Checkup, url: str) -> list[Verdict]:
    """Tell whether an https address shows a certificate that is good, for its name, and for a while yet."""
    days = await checkup.doors.certificate_days(url, utc_now())
    if days.left <= min(_LEAST_DAYS, days.in_all * _LEAST_SHARE):
        source = checkup.stack.certificates.source
        remedy = {
            "internal": "`wod install` makes a new one.",
            "acme": "Look why it is not renewed: `journalctl -u 'wod-gate-*'` on its machine.",
            "files": f"Put a new one into {checkup.stack.certificates.folder}, and run `wod install`.",
        }
        return [bad(url, f"Its certificate ends in {_span(days.left)}.", remedy[source])]
    host = urlsplit(url).hostname
    return [good(url, f"Its certificate is good, for {host}, and for {_span(days.left)} yet.")]


def _span(days: float) -> str:
    return f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"


async def check_catalog(checkup: Checkup, url: str) -> list[Verdict]:
    """Tell whether the catalog serves its pages."""
    answer = await checkup.doors.ask("GET", f"{url}/_stcore/health")
    if answer.status != 200:
        return [bad(url, f"The catalog answers with HTTP {answer.status}.", _unit("wod-catalog"))]
    return [good(url, "The catalog serves its pages.")]


async def check_api(checkup: Checkup, url: str) -> list[Verdict]:
    """Tell how the API says that each part of the platform is."""
    answer = await checkup.doors.ask("GET", f"{url}/api/health")
    parts = answer.json.get("parts") if isinstance(answer.json, dict) else None
    if not parts:
        return [bad(url, f"The API answers with HTTP {answer.status}.", _unit("wod-api"))]
    return [
        good(url, part["message"])
        if part["ok"]
        else bad(url, f"{name}: {part['message']}", "See `journalctl -u wod-engine -u wod-api` on its machine.")
        for name, part in parts.items()
    ]


async def check_prefect(checkup: Checkup) -> list[Verdict]:
    """Tell whether Prefect lets in those who log in, and nobody else."""
    url = checkup.stack.url("prefect")
    login = ("admin", checkup.context.secrets.prefect_password)
    asked = f"{url}/api/flows/count"
    without = await checkup.doors.ask("POST", asked, body={})
    within = await checkup.doors.ask("POST", asked, body={}, login=login)
    documents = await checkup.doors.ask("GET", f"{url}/docs")
    verdicts = []
    if without.status != 401:
        what = f"Prefect answers without a log-in (HTTP {without.status})."
        verdicts.append(bad(url, what, "`wod install` sets its password again."))
    if within.status != 200:
        what = f"Prefect does not take the stack's log-in (HTTP {within.status})."
        verdicts.append(bad(url, what, _unit("wod-prefect")))
    if documents.status != 404:
        verdicts.append(bad(url, "Prefect shows its /docs to everybody.", "`wod install` closes them."))
    return verdicts or [good(url, "Prefect answers those who log in, and nobody else.")]


async def check_hub(checkup: Checkup, machine: str) -> list[Verdict]:
    """Tell whether a hub answers and takes the engine's token, and no other."""
    url = checkup.stack.url("hub", machine, "internal")
    hub = Hub(url, checkup.context.secrets.hub_token(machine), ca_file=checkup.ca_file)
    try:
        await hub.wait_until_ready(_HUB_SECONDS)
    except StepFailed as failure:
        remedy = "`wod install` mends it; `journalctl -u wod-hub -u wod-proxy` on its machine tells why."
        return [bad(url, failure.message, remedy)]
    finally:
        await hub.close()
    return [good(url, "JupyterHub answers, and takes the engine's token.")]


def urls(checkup: Checkup) -> list[str]:
    """Return all addresses of the stack's doors, for people and for the other machines, each once."""
    stack = checkup.stack
    found = [stack.url("catalog"), stack.url("api"), stack.url("api", side="internal"), stack.url("prefect")]
    for backend in stack.backends:
        found += [stack.url("hub", backend.machine), stack.url("hub", backend.machine, "internal")]
    return list(dict.fromkeys(found))


def unencrypted(url: str) -> list[Verdict]:
    """Return the warning that an address is served without encryption."""
    return [warning(url, "It is served by plain http.", "Write `protocol: https` into the stack file.")]


def _unit(name: str) -> str:
    return f"See `journalctl -u {name}` on its machine; `wod install` starts it."
