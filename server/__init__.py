"""The service: synthetic anomalies over HTTP, on the fly, by the same plans as `synthgen generate`."""
