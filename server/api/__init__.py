"""What the service answers, a subject a file."""
