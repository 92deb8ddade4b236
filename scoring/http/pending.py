"""The requests of a connection that have not been answered: responses leave in the order of the requests."""

from collections import deque

from scoring.http.admission import Room
from scoring.http.request import Answer, Request


class Pending(deque[Request]):
    """The requests whose responses have not been sent, in order of arrival."""

    def __init__(self, room: Room) -> None:
        """`room` has the bytes of their bodies."""
        super().__init__()
        self._room = room
        self.reading: Request | None = None
        """The request whose body is being received."""

    @property
    def waits(self) -> bool:
        """Whether a complete request is waiting for its response."""
        return bool(self) and self[0] is not self.reading

    def add(self, request: Request) -> None:
        """Add a request whose head has arrived."""
        self.append(request)
        self.reading = request

    def answered(self) -> tuple[Request, Answer] | None:
        """Remove the first request, which there must be, if it has its response, and return both."""
        if (answer := self[0].answer) is None:
            return None
        request = self.popleft()
        self._room.free(request.size)
        return request, answer

    def end_with_last(self) -> None:
        """Close the connection after the response to the last request."""
        self[-1].keep_alive = False

    def forget_partial(self) -> None:
        """Drop the request whose body does not come."""
        request, self.reading = self.reading, None
        if request is not None and request.wants_body:
            self.pop()
            self._room.free(request.size)

    def lose(self) -> None:
        """Mark all requests as those of a client that has disconnected, and release their memory."""
        for request in self:
            request.disconnected = True
            self._room.free(request.size)
        self.clear()
        self.reading = None
