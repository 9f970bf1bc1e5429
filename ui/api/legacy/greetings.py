"""Routes: signs of life, and the description of the API where programs for the existing system look for it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/api/")
async def greet() -> dict[str, str]:
    """Return a greeting."""
    return {"hello": "hi!"}


@router.get("/test")
@router.get("/api/test")
async def answer_test() -> dict[str, str]:
    """Return a greeting."""
    return {"hello": "test"}


@router.get("/swagger.json")
@router.get("/api/swagger.json")
async def describe(request: Request) -> dict[str, Any]:
    """Return the description of the whole API, in OpenAPI."""
    schema: dict[str, Any] = request.app.openapi()
    return schema
