from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.colors import BLACK, READABLE, WHITE, contrast, readable, text_on

colors = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#ffffff") == pytest.approx(1)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(("background", "text"), [("#01775A", WHITE), ("#FFE600", BLACK), ("#000000", WHITE)])
def test_text_on_a_button(background: str, text: str) -> None:
    assert text_on(background) == text


@given(colors)
def test_text_is_readable_on_any_colour(background: str) -> None:
    assert contrast(text_on(background), background) >= 4.3  # the worst of all colours, a middle grey


@given(colors, st.sampled_from(["#ffffff", "#eceff2", "#262b30"]))
def test_any_colour_can_be_made_readable(color: str, ground: str) -> None:
    assert contrast(readable(color, ground), ground) >= READABLE


def test_a_readable_colour_is_left_alone() -> None:
    assert readable("#01775a", "#ffffff") == "#01775a"
