"""Python `websockets`."""

import unittest

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gate import BEARER, MESSAGES, PACKED, TLS, TOO_LARGE, URL, ticket


def enter(url=URL, **how):
    return connect(url, ssl=TLS, proxy=None, max_size=None, **how)


class Websockets(unittest.IsolatedAsyncioTestCase):
    async def exchange(self, socket):
        for message in MESSAGES:
            await socket.send(message)
            self.assertEqual(await socket.recv(), message)

    async def test_enters_with_a_bearer_token_and_exchanges_up_to_the_limit(self):
        async with enter(additional_headers=BEARER) as socket:
            await self.exchange(socket)
        self.assertEqual(socket.close_code, 1000)

    async def test_enters_with_a_ticket_which_is_not_selected(self):
        async with enter(subprotocols=["wardwire.raw", ticket()]) as socket:
            self.assertEqual(socket.subprotocol, "wardwire.raw")
            await self.exchange(socket)

    async def test_exchanges_compressed_messages_on_a_route_that_compresses(self):
        async with enter(PACKED, additional_headers=BEARER) as socket:
            names = [extension.name for extension in socket.protocol.extensions]
            self.assertEqual(names, ["permessage-deflate"])
            await self.exchange(socket)
        self.assertEqual(socket.close_code, 1000)

    async def test_is_closed_with_1009_for_what_inflates_over_the_limit(self):
        for message in TOO_LARGE:
            async with enter(PACKED, additional_headers=BEARER) as socket:
                await socket.send(message)
                with self.assertRaises(ConnectionClosed) as closed:
                    await socket.recv()
                self.assertEqual(closed.exception.rcvd.code, 1009)

    async def test_is_closed_with_1009_over_the_limit(self):
        for message in TOO_LARGE:
            async with enter(additional_headers=BEARER) as socket:
                await socket.send(message)
                with self.assertRaises(ConnectionClosed) as closed:
                    await socket.recv()
                self.assertEqual(closed.exception.rcvd.code, 1009)

    async def test_is_refused_without_a_credential(self):
        with self.assertRaises(InvalidStatus) as refused:
            async with enter():
                pass
        self.assertEqual(refused.exception.response.status_code, 401)
