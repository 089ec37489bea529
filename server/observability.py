"""What the service reports of itself: Prometheus metrics, and a log line in JSON for every request."""

import json
import logging
import re
import sys
import time
import uuid
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.workers.jobs import Timed

REQUESTS = logging.getLogger("synthgen.requests")
KNOWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
POOL = "lane"
"""The metrics' label for the worker pool; dashboards know it by this name."""
BATCH_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The counters of one application; no two applications share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "synthgen_requests", "Requests that got a response", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "synthgen_request_seconds",
            "Seconds until a response was complete",
            ["route"],
            registry=self.registry,
        )
        self.outstanding = Gauge(
            "synthgen_queue_depth",
            "Jobs that wait or are under way",
            [POOL, "state"],
            registry=self.registry,
        )
        self._batch_samples = Histogram(
            "synthgen_batch_samples",
            "Samples that were made together",
            [POOL],
            buckets=BATCH_SIZES,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "synthgen_stage_seconds",
            "Seconds of a batch in a stage",
            [POOL, "stage"],
            registry=self.registry,
        )
        self._workers_lost = Counter(
            "synthgen_workers_lost", "Worker processes that were lost", [POOL], registry=self.registry
        )
        self.failures = Counter(
            "synthgen_failures", "Requests that the server could not serve (5xx)", registry=self.registry
        )
        self.cache_bytes = Gauge(
            "synthgen_cache_bytes", "Bytes of the shards that are kept", registry=self.registry
        )

    def batch(self, pool: str, timed: Timed) -> None:
        """A batch is done."""
        if timed.samples:
            self._batch_samples.labels(pool).observe(timed.samples)
        for stage, seconds in timed.seconds.items():
            self._stage_seconds.labels(pool, stage).observe(seconds)

    def worker_lost(self, pool: str) -> None:
        """A worker process was lost."""
        self._workers_lost.labels(pool).inc()


class ObservingMiddleware:
    """Gives every request an id, counts it, and writes its log line."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request; its response carries X-Request-ID."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if KNOWN_ID.fullmatch(given) else uuid.uuid4().hex
        started = time.perf_counter()
        status, size = 0, 0

        async def observed_send(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            if status >= 500:
                self._metrics.failures.inc()
            REQUESTS.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round(seconds * 1000, 1),
                    "bytes": size,
                    "client": (scope.get("client") or ("",))[0],
                },
            )


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    _usual = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, message, and what the record brings besides."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in self._usual}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_config() -> dict[str, Any]:
    """The logging of the service: everything as JSON on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": sys.stderr}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "uvicorn.access": {"level": "WARNING"},
            "uvicorn.error": {"level": "INFO"},
        },
    }
