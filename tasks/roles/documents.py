"""Documents on a backend: what saves notebooks as PDF. It comes last, since nobody waits for it."""

from __future__ import annotations

from models.resources import Packages, Resource
from tasks.roles.context import RoleContext

_PACKAGES = (
    *("pandoc", "texlive-fonts-recommended", "texlive-plain-generic", "texlive-xetex"),
    "librsvg2-bin",  # what deployments/hub/jupyter draws SVG with
)


def documents(context: RoleContext, machine: str) -> list[Resource]:
    """Return what JupyterLab's export to PDF needs."""
    return [Packages(_PACKAGES, why="Lets students save their notebooks as PDF, by way of TeX.")]
