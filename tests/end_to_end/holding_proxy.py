"""A connection that can be held up between a node and its PACS."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress


class HoldingProxy:
    """A TCP proxy that can hold back one direction, as a network or a busy PACS does."""

    def __init__(self, target_port: int, answer_delay_s: float = 0.0) -> None:
        self._target_port = target_port
        self._answer_delay_s = answer_delay_s
        self.requests_flow, self.answers_flow = threading.Event(), threading.Event()
        self.requests_flow.set()
        self.answers_flow.set()
        self._hold_answers_when: Callable[[], bool] = lambda: False
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_answers_when(self, condition: Callable[[], bool]) -> None:
        """Hold back every answer of the target from when the condition holds."""
        self._hold_answers_when = condition

    def cut(self) -> None:
        """Lose every connection at once, in the middle of whatever is said."""
        for connection in self._connections:
            with suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)  # wakes the threads that read from it
            connection.close()
        self._connections.clear()

    def close(self) -> None:
        self._listener.close()
        self.requests_flow.set()
        self.answers_flow.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:  # the target is down, which its caller is to see
                client.close()
                continue
            self._connections += [client, server]
            for pump in (self._pump_requests, self._pump_answers):
                threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _pump_requests(self, client: socket.socket, server: socket.socket) -> None:
        _pump(client, server, self.requests_flow.wait)

    def _pump_answers(self, client: socket.socket, server: socket.socket) -> None:
        _pump(server, client, self._pass_answer)

    def _pass_answer(self) -> None:
        if self._hold_answers_when():
            self.answers_flow.clear()
        self.answers_flow.wait()
        time.sleep(self._answer_delay_s)


def _pump(source: socket.socket, sink: socket.socket, may_pass: Callable[[], object]) -> None:
    try:
        while part := source.recv(65536):
            may_pass()
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one side is gone; the other learns it by its own socket
