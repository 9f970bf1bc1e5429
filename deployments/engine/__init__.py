"""The engine: a service that claims due bookings and runs their flows in its own process."""
