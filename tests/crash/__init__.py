"""Whatever happens to a process, what was finished is recorded, once."""
