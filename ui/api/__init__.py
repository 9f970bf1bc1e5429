"""The REST API: the only door to the database for students and programs."""
