"""Pictures that are made from a name, for whatever has none: the same name always gets the same picture."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

_WIDTH, _HEIGHT = 640, 300

# Pairs of colours that go well with each other, with a white pattern, and with light and dark pages.
_PALETTES = (
    ("#0f766e", "#1d4ed8"),
    ("#155e75", "#4338ca"),
    ("#166534", "#0e7490"),
    ("#1e3a8a", "#7e22ce"),
    ("#7c2d12", "#be185d"),
    ("#0c4a6e", "#0f766e"),
    ("#4c1d95", "#be123c"),
    ("#334155", "#0369a1"),
    ("#134e4a", "#65a30d"),
    ("#831843", "#c2410c"),
    ("#312e81", "#0e7490"),
    ("#713f12", "#15803d"),
    ("#1e293b", "#6d28d9"),
)


def picture(name: str) -> str:
    """Return a picture for `name` as a data address: two colours and a quiet pattern."""
    digest = sha256(name.encode(errors="replace")).digest()
    left, right = _PALETTES[digest[0] % len(_PALETTES)]
    pattern = _PATTERNS[digest[1] % len(_PATTERNS)](digest[2:])
    return _address(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        '<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1">'
        f'<stop stop-color="{left}"/><stop offset="1" stop-color="{right}"/></linearGradient></defs>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="url(#g)"/>'
        f'<g fill="none" stroke="#fff" stroke-width="2">{pattern}</g></svg>'
    )


def portrait(name: str) -> str:
    """Return a portrait for a person's name as a data address: initials on a colour."""
    words = [word for word in name.split() if word[:1].isalpha()]
    initials = "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()
    color = _PALETTES[sha256(name.encode(errors="replace")).digest()[0] % len(_PALETTES)][0]
    return _address(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
        f'<rect width="40" height="40" fill="{color}"/>'
        '<text x="20" y="20.5" dy=".35em" text-anchor="middle" font-family="sans-serif" font-size="15"'
        f' fill="#fff">{initials}</text></svg>'
    )


def medal(name: str) -> str:
    """Return a badge for `name` as a data address: a rosette in two colours with a star."""
    left, right = _PALETTES[sha256(name.encode(errors="replace")).digest()[0] % len(_PALETTES)]
    edge = " ".join(
        f"{100 + radius * math.cos(step * math.pi / 12):.1f},{90 + radius * math.sin(step * math.pi / 12):.1f}"
        for step in range(24)
        for radius in ((80, 72)[step % 2],)
    )
    star = " ".join(
        f"{100 + radius * math.sin(step * math.pi / 5):.1f},{90 - radius * math.cos(step * math.pi / 5):.1f}"
        for step in range(10)
        for radius in ((34, 15)[step % 2],)
    )
    return _address(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">'
        '<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1">'
        f'<stop stop-color="{left}"/><stop offset="1" stop-color="{right}"/></linearGradient></defs>'
        f'<path d="M62 128 46 196l30-16 18 16 12-56zM138 128l16 68-30-16-18 16-12-56z" fill="{right}"/>'
        f'<polygon points="{edge}" fill="url(#g)"/>'
        '<circle cx="100" cy="90" r="56" fill="none" stroke="#fff" stroke-width="3" stroke-opacity=".55"/>'
        f'<polygon points="{star}" fill="#fff"/></svg>'
    )


def _rings(digest: bytes) -> str:
    x, y = _WIDTH * (0.55 + digest[0] / 640), _HEIGHT * (digest[1] / 255)
    return "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius}" stroke-opacity="{0.4 - radius / 1600:.2f}"/>'
        for radius in range(40, 560, 24 + digest[2] % 20)
    )


def _waves(digest: bytes) -> str:
    lines = []
    for index in range(9):
        height = 14 + (digest[index % 8] % 26)
        middle = 20 + index * 34
        shift = digest[(index + 3) % 8] / 255 * 2 * math.pi
        points = " ".join(
            f"{x},{middle + height * math.sin(x / (70 + digest[0] % 60) + shift):.0f}"
            for x in range(0, _WIDTH + 1, 16)
        )
        lines.append(f'<polyline points="{points}" stroke-opacity="{0.12 + index * 0.03:.2f}"/>')
    return "".join(lines)


def _network(digest: bytes) -> str:
    nodes = [
        (
            60 + column * 130 + digest[(row * 5 + column) % 24] % 70,
            40 + row * 75 + digest[(row + column) % 24] % 40,
        )
        for row in range(4)
        for column in range(5)
    ]
    links = "".join(
        f'<path d="M{x1} {y1}L{x2} {y2}" stroke-opacity=".25"/>'
        for index, (x1, y1) in enumerate(nodes)
        for x2, y2 in nodes[index + 1 :]
        if math.dist((x1, y1), (x2, y2)) < 150
    )
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="{4 + digest[index] % 6}" fill="#fff" fill-opacity=".55" stroke="none"/>'
        for index, (x, y) in enumerate(nodes)
    )
    return links + dots


def _cells(digest: bytes) -> str:
    size = 46
    return "".join(
        f'<rect x="{column * (size + 6)}" y="{row * (size + 6)}" width="{size}" height="{size}" rx="9"'
        f' fill="#fff" stroke="none" fill-opacity="{digest[(row * 7 + column) % 29] / 255 * 0.22:.2f}"/>'
        for row in range(6)
        for column in range(13)
    )


def _dots(digest: bytes) -> str:
    x, y = _WIDTH * digest[0] / 255, _HEIGHT * digest[1] / 255
    return "".join(
        f'<circle cx="{column * 30 + 5}" cy="{row * 30 + 15}" r="{radius:.1f}" fill="#fff" fill-opacity=".3"'
        ' stroke="none"/>'
        for row in range(10)
        for column in range(22)
        if (radius := 11 - math.dist((column * 30, row * 30), (x, y)) / 45) > 1
    )


def _beams(digest: bytes) -> str:
    return "".join(
        f'<path d="M{left} 0h{width}L{left + width - 190} {_HEIGHT}h-{width}z" fill="#fff" stroke="none"'
        f' fill-opacity="{0.05 + digest[index + 9] / 255 * 0.15:.2f}"/>'
        for index in range(9)
        for left, width in ((digest[index] * 3.2, 20 + digest[index + 10] % 90),)
    )


_PATTERNS: tuple[Callable[[bytes], str], ...] = (_rings, _waves, _network, _cells, _dots, _beams)


def _address(svg: str) -> str:
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
