"""What the service adds to the protocol: problem details, guards and limits."""
