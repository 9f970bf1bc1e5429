"""The wod command."""
