"""What watching costs, measured; see README.md beside this file."""
