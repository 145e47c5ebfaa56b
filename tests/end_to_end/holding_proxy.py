"""A connection that can be held up between a node and its PACS."""

import socket
import struct
import threading
import time
from collections.abc import Callable


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
        """Lose every connection at once, as when a firewall forgets them."""
        for connection in self._connections:
            # Without lingering: a reset, and nothing that waits is passed on.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
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
            server = socket.create_connection(("127.0.0.1", self._target_port))
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
