"""Making samples for requests: jobs, the queue they wait in, and the processes that do them."""
