"""What programs of partners may do with their keys; docs/api.md tells partners."""
