"""Verbs: what is done to the world; facts, ensures and the Prefect tasks around them."""
