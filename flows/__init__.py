"""Sentences: in which order the verbs of tasks/ are done; one Prefect flow a file."""
