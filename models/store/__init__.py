"""All SQL; the caller owns the transaction."""
