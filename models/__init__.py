"""Nouns and rules: what is true."""
