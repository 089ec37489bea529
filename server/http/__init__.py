"""What the service adds to the protocol: problem details, middleware and limits."""
