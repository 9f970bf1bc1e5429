"""The only homes of asyncssh, httpx, SMTP, subprocesses and nbformat."""
