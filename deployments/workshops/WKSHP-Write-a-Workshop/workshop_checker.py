# {% raw %}

"""Look a workshop folder over: a small brother of `wod catalog validate`, for use inside a notebook.

Each problem is a sentence that begins with the file (and line), says what is wrong, and how to mend it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import toy_template

VARIABLES = {
    "BRANDING", "BRANDINGLOGO", "BRANDINGSLACK", "BRANDINGURL", "BRANDINGWOD", "CHALLENGE", "DIR", "HTTPPORT",
    "MODEWS", "PASSSTU", "STDID", "SURVEYCHALURL", "SURVEYURL", "WODBEEXTFQDN", "WODBEFQDN", "WORKSHOP",
    "hostvars", "inventory_hostname",
}  # fmt: skip
RENDERED = (".ipynb", ".yaml", ".py", ".sh", ".src", ".tf", ".env")
REQUIRED = ("name", "description", "active", "capacity", "range", "duration", "presenter")
KERNELS = ("python3", "bash")
SEATS = 100

_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


def folder_problems(folder: Path) -> list[str]:
    """Return everything that is wrong with the workshop in `folder`; an empty list means: offer it."""
    found = []
    if not re.fullmatch(r"WKSHP-[A-Za-z0-9][A-Za-z0-9-]*", folder.name):
        found.append(f"{folder.name}: the name should be WKSHP- and then letters, digits and dashes.")
    manifest = folder / "wod.yml"
    if manifest.exists():
        found += [f"wod.yml: {each}" for each in manifest_problems(manifest.read_text(encoding="utf-8"))]
    else:
        found.append("wod.yml is missing: it tells the catalog what the workshop is.")
    names = sorted(path.name for path in folder.glob("*.ipynb"))
    if "0-ReadMeFirst.ipynb" not in names:
        found.append("0-ReadMeFirst.ipynb is missing: it is what the student sees first.")
    if not any(re.fullmatch(r"[1-9]\d*-WKSHP-.*\.ipynb", name) for name in names):
        found.append("There is no lab: name it 1-WKSHP-Something.ipynb.")
    if not any(name.endswith("Conclusion.ipynb") for name in names):
        found.append("There is no conclusion: name it N-WKSHP-Conclusion.ipynb, with the next number.")
    for path in sorted(folder.rglob("*")):
        if path.suffix in RENDERED and path.is_file() and "-checkpoint" not in path.name:
            found += _rendered_file_problems(path, str(path.relative_to(folder)))
    return found


def manifest_problems(text: str, seats: int = SEATS) -> list[str]:
    """Return everything that is wrong with the text of a wod.yml, for a backend with that many seats."""
    fields = read_manifest(text)
    found = [f"{name} is missing." for name in REQUIRED if name not in fields]
    found += [
        f"{name} says nothing yet: write it for the student who reads the catalog."
        for name in ("name", "description", "presenter")
        if name in fields and (not str(fields[name]).strip() or "TODO" in str(fields[name]))
    ]
    if not isinstance(fields.get("active", True), bool):
        found.append(f"active is {fields['active']!r}: write true or false.")
    found += [
        f"{name} is {fields[name]!r}: write a whole number above 0, without quotes."
        for name in ("capacity", "duration")
        if name in fields and not _is_count(fields[name])
    ]
    found += _range_problems(fields, seats) if "range" in fields else []
    return found


def _range_problems(fields: dict[str, Any], seats: int) -> list[str]:
    limits = fields["range"]
    if not (isinstance(limits, list) and len(limits) == 2 and all(_is_count(each) for each in limits)):
        return [f"range is {limits!r}: write the first and the last seat, for example [1,20]."]
    first, last = limits
    if first > last:
        return [f"range [{first},{last}] runs backwards: write [{last},{first}]."]
    if last > seats:
        return [f"range [{first},{last}] ends outside the backend, which has the seats 1 to {seats}."]
    own = last - first + 1
    capacity = fields.get("capacity")
    if _is_count(capacity) and capacity > own:
        return [f"capacity is {capacity}, but range [{first},{last}] has {own} seats: write at most {own}."]
    return []


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def read_manifest(text: str) -> dict[str, Any]:
    """Return the fields of a wod.yml. Of YAML it knows what a wod.yml needs: one `key: value` a line."""
    fields = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and re.fullmatch(r"\w+", key):
            fields[key] = _value(value.strip())
    return fields


def _value(text: str) -> Any:
    if text[:1] in ("'", '"') and text[-1:] == text[:1]:
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if text[:1] == "[" and text[-1:] == "]":
        return [_value(each.strip()) for each in text[1:-1].split(",") if each.strip()]
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _rendered_file_problems(path: Path, name: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    found = [f"{name}, {each}." for each in toy_template.problems(text, VARIABLES)]
    return found + (_notebook_problems(path, name, text) if path.suffix == ".ipynb" else [])


def _notebook_problems(path: Path, name: str, text: str) -> list[str]:
    try:
        notebook = json.loads(text)
    except ValueError as error:
        return [f"{name} is not JSON ({error}): open and save it in JupyterLab."]
    found = []
    kernel = notebook.get("metadata", {}).get("kernelspec", {}).get("name")
    if kernel not in KERNELS:
        found.append(f"{name} asks for the kernel {kernel}: choose one of {', '.join(KERNELS)}.")
    for number, cell in enumerate(notebook.get("cells", []), start=1):
        source = "".join(cell.get("source", []))
        if cell.get("outputs") or cell.get("execution_count"):
            found.append(f"{name}, cell {number} has been run: clear all outputs before you publish.")
        if "TODO" in source:
            found.append(f"{name}, cell {number} still says TODO.")
        found += [
            f"{name}, cell {number} shows {picture}, which is not there."
            for picture in (_PICTURE.findall(source) if cell.get("cell_type") == "markdown" else [])
            if "://" not in picture and not (path.parent / picture).exists()
        ]
    return found


# {% endraw %}
