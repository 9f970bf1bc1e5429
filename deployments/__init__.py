"""Where and when it runs: Prefect deployments, the engine, the one-machine stack."""
