"""Benchmarks: what a booking costs, on a platform of their own."""
