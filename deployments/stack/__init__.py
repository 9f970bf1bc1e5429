"""The platform on one machine: which services it has, and how they are started, watched and stopped."""
