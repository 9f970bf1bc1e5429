"""The paths, fields and answers of the existing system's API, for programs that were written for it.

docs/api-compatibility.md says what is the same, what differs, and why.
"""
