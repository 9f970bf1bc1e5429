"""Folders of workshops on the control machine, as they travel to the machine that offers them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.errors import Refused
from models.stack_manifest import StackManifest
from tasks.adapters.git import is_repository
from tasks.roles.source import pack_folder


def pack_workshops(stack: StackManifest) -> Mapping[str, bytes]:
    """Return tars of the stack's folders of workshops, by their paths. The same files give the same bytes.

    Raises Refused (workshops_wrong), naming all that are neither a folder nor the address of a repository, and
    folders of the same name, by which they are known on the machine of the API.
    """
    folders = [each for each in stack.workshops if not is_repository(each)]
    names = [Path(each).name for each in folders]
    wrong = [
        f"{each} is neither a folder here nor the address of a git repository."
        for each in folders
        if not Path(each).is_dir()
    ]
    wrong += [f"Several folders are called {name}: rename them." for name in {*names} if names.count(name) > 1]
    if wrong:
        raise Refused("\n".join(f"`workshops`: {each}" for each in wrong), reason="workshops_wrong")
    return {each: pack_folder(Path(each)) for each in folders}
