"""Colours that stay readable whatever the brand's colour is (WCAG 2: relative luminance and contrast)."""

from __future__ import annotations

from functools import cache

WHITE = "#ffffff"
BLACK = "#111111"
READABLE = 4.5  # least contrast of text: WCAG 2, success criterion 1.4.3
_STEPS = 50


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (`#rrggbb`): from 1, the same, to 21, black on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@cache
def text_on(background: str) -> str:
    """Return white or near-black, whichever is easier to read on `background`."""
    return max(WHITE, BLACK, key=lambda color: contrast(color, background))


@cache
def readable(color: str, background: str) -> str:
    """Return `color`, shifted as little as it takes to be readable as text on `background`."""
    target = text_on(background)
    shades = (_mix(color, target, step / _STEPS) for step in range(_STEPS + 1))
    return next((shade for shade in shades if contrast(shade, background) >= READABLE), target)


def _luminance(color: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in bytes.fromhex(color[1:]))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(color: str, other: str, share: float) -> str:
    pairs = zip(bytes.fromhex(color[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
