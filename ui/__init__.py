"""Doors: what people and programs touch; the REST API, the catalog and the wod command."""
