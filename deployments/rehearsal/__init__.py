"""Rehearsals: what a student does, done by a program through the same doors."""
