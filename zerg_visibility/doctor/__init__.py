"""Why metrics, log lines or durations are not what they should be: a table of checks."""
