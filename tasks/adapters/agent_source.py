"""Programs that travel to a machine: several of our modules as one source, for a Python that has none of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

# Runs a program that comes first on stdin, of as many bytes as its first argument says: what is an argument is
# logged by sudo, and shown to everybody on the machine.
LOADER = "import sys; exec(sys.stdin.buffer.read(int(sys.argv.pop(1))))"

_ADAPTERS = Path(__file__).parent


@cache
def program(modules: Sequence[str]) -> str:
    """Return a program that makes adapters of their sources, each after what it imports, and runs the last.

    It hands its arguments to that module's `main` and exits with what that returns. It is to be run with `-I -S`.
    """
    sources = {f"tasks.adapters.{name}": (_ADAPTERS / f"{name}.py").read_text() for name in modules}
    return "\n".join(
        [
            "import sys, types",
            f"for name, source in {sources!r}.items():",
            "    sys.modules[name] = types.ModuleType(name)",
            "    exec(compile(source, name, 'exec'), sys.modules[name].__dict__)",
            f"sys.exit(sys.modules[{list(sources)[-1]!r}].main(*sys.argv[1:]))",
        ]
    )
