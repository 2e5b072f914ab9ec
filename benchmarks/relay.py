# SPDX-License-Identifier: MIT
"""A TCP relay that delays every byte by a fixed time each way, for machines whose kernel has no `netem`.

usage: relay.py MILLISECONDS ADDRESS:PORT…

Listens on a free port of 127.0.0.1 for each target, prints the ports as one JSON list and serves until its
standard input ends. The throughput stays as it is: chunks travel one after the other, not one at a time.
TCP's handshake is delayed as well, its slow start is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

CHUNK = 1 << 16
# What may be on its way at once: more than the SSH client's window of 2 MiB.
IN_FLIGHT = 256


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Hand each chunk on `delay` seconds after it came, and the end of the stream too."""
    clock = asyncio.get_running_loop().time
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)

    async def receive() -> None:
        data = b"."
        while data:
            try:
                data = await reader.read(CHUNK)
            except OSError:  # The peer has reset the connection: for the other side that is its end.
                data = b""
            await queue.put((clock() + delay, data))

    async def send() -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - clock())
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    receiver = asyncio.create_task(receive())
    # Whoever reset the connection reads no more; the other way ends by itself.
    with contextlib.suppress(OSError):
        await send()
    receiver.cancel()


class Relay:
    """One listening port in front of one target."""

    def __init__(self, address: str, port: int, delay: float) -> None:
        self.address, self.port, self.delay = address, port, delay

    async def listen(self) -> int:
        """Listen on a free port and return it."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until both directions have ended, or one is broken."""
        # SYN, SYN-ACK and ACK take one delay each before the server sees a connection.
        await asyncio.sleep(3 * self.delay)
        # A broken connection ends here as it ends there: both sides see it closed. Cancelled: the relay ends.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there_reader, there_writer = await asyncio.open_connection(self.address, self.port)
            await asyncio.gather(
                pump(reader, there_writer, self.delay), pump(there_reader, writer, self.delay)
            )
            there_writer.close()
        writer.close()


async def main(milliseconds: str, *targets: str) -> None:
    """Listen for every target, say where, and serve until standard input ends."""
    pairs = [target.rsplit(":", 1) for target in targets]
    relays = [Relay(address, int(port), float(milliseconds) / 1000) for address, port in pairs]
    print(json.dumps([await relay.listen() for relay in relays]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
