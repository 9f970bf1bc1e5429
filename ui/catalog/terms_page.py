"""The terms that hold where the operator has written none: what the platform does, in numbers."""

from __future__ import annotations

import streamlit as st

from ui.catalog.connection import brand, workshops
from ui.catalog.frame import name_page, show_title
from ui.catalog.wording import as_markdown, counted, hours


def show_terms() -> None:
    """Show the terms."""
    name_page("Terms and conditions")
    programme = brand()
    with st.container(key="slim"):
        show_title("Terms and conditions", f"For everybody who books with {programme.name}.")
        if programme.terms_url:
            st.link_button("Read them", programme.terms_url, icon=":material/open_in_new:")
            return
        st.markdown(_terms())


def _terms() -> str:
    programme = brand()
    kept, offer = counted(programme.archive_days, "day"), hours(programme.offer_hours)
    lengths = sorted({workshop.duration_hours for workshop in workshops()})
    longest = f"between {hours(lengths[0])} and {hours(lengths[-1])}" if len(lengths) > 1 else ""
    time = longest or (hours(lengths[0]) if lengths else "some hours")
    return f"""
## Your seat

- A booking is free of charge and gives you one seat: an account with a JupyterLab of your own, on a machine that
  you share with others.
- The time runs from the moment that your seat is ready: {time}, as the workshop's page and the mail with your
  password say.
- You can have one booking at a time, and end it whenever you like.
- A seat that is offered to you from a waiting list is kept for {offer}.

## Fair use

- Use the seat for the workshop. Mining, attacks on others, sending mail in bulk and storing what is not yours to
  share are not allowed, and end your session.
- Keep your password to yourself.
- Don't put secrets or personal data of others into the notebooks.

## Your data

- {as_markdown(programme.owner)} keeps your name, your e-mail address and, if you tell it, your company, to give
  you the seat, to write to you about it and to award badges.
- When the session ends, the account is erased. What you did is kept for download for {kept}, then deleted.
- How much of the workshop you did is counted, and is shown on the badges that you show to others.
- The link in each mail leads to your own page, where you can have everything erased that tells who you are.

## No warranty

- Workshops and seats are offered as they are. Save what matters to you before the time is over.
"""
