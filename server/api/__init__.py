"""The routes of the service, one resource a file."""
