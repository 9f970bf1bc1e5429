"""What is checked on a stack that runs; each check returns verdicts, and changes nothing but what it says."""
