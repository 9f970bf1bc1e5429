"""Route: the API's description for people, made from its OpenAPI schema; it needs no network and no script."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

router = APIRouter(prefix="/api", include_in_schema=False)


@router.get("/docs")
async def read_docs(request: Request) -> HTMLResponse:
    """Return a page that describes every operation, with examples."""
    return HTMLResponse(_page().render(api=request.app.openapi()), headers={"Content-Security-Policy": _POLICY})


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "example": _example,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    }
    return environment.from_string(Path(__file__).with_name("docs.html").read_text())


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return an example of what `schema` describes, put together from the examples of its parts."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas)
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    if "properties" in schema:
        return {name: _example(part, schemas) for name, part in schema["properties"].items()}
    if schema.get("format") == "date-time":
        return "2026-11-23T15:00:00Z"
    return {"string": "", "integer": 0, "number": 0, "boolean": True}.get(schema.get("type", ""), {})
