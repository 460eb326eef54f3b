"""A cluster that hangs half-way."""

from threading import Event

from tests.collect.replay import Replay, Reply, Request


class Stuck(Replay):
    """A cluster that does not answer when it is asked for pods, until it is left."""

    def __init__(self) -> None:
        super().__init__("healthy")
        self.asked, self.left = Event(), Event()

    def _reply(self, request: Request) -> Reply:
        if request.path == "/api/v1/pods":
            self.asked.set()
            self.left.wait()
        return super()._reply(request)

    def __exit__(self, *error: object) -> None:
        self.left.set()
        super().__exit__(*error)
