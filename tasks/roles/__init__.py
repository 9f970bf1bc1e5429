"""Roles: what should be so on each kind of machine, as lists of resources."""
