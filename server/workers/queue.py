"""The queue in which jobs wait: clients in turn, and what can be made together comes together."""

from collections import OrderedDict, deque

from server.workers.jobs import Job


class FairQueue:
    """First in, first out for each client, and the clients take turns."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, client: str, job: Job) -> None:
        """Let a job wait."""
        self._waiting.setdefault(client, deque()).append(job)

    def take(self, most_jobs: int) -> list[Job]:
        """The job whose turn it is, and those that can be made with it; none where nothing waits."""
        taken: list[Job] = []
        samples = 0
        turn = True
        while turn and len(taken) < most_jobs:
            turn = False
            for client in list(self._waiting):
                job = self._waiting[client][0]
                fits = samples + len(job.indices) <= job.most_together and len(taken) < most_jobs
                if taken and not (job.batch_key == taken[0].batch_key and fits):
                    continue
                self._pop(client)
                taken.append(job)
                samples += len(job.indices)
                turn = True
        return taken

    def drop(self, number: int) -> bool:
        """Let a job not wait any longer; whether it still did."""
        for client, jobs in self._waiting.items():
            for job in jobs:
                if job.number == number:
                    jobs.remove(job)
                    if not jobs:
                        del self._waiting[client]
                    return True
        return False

    def _pop(self, client: str) -> None:
        jobs = self._waiting[client]
        jobs.popleft()
        if jobs:
            self._waiting.move_to_end(client)
        else:
            del self._waiting[client]
