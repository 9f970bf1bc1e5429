"""Rehearsals: a platform of its own, and what a student does on it, done by a program through the same doors."""
