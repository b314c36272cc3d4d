"""Python `aiohttp`."""

import unittest

from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

from gate import BEARER, MESSAGES, TLS, TOO_LARGE, URL, ticket


class Aiohttp(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = await self.enterAsyncContext(ClientSession())

    def enter(self, **how):
        return self.client.ws_connect(URL, ssl=TLS, max_msg_size=0, **how)

    async def send(self, socket, message):
        if isinstance(message, str):
            await socket.send_str(message)
        else:
            await socket.send_bytes(message)

    async def exchange(self, socket):
        for message in MESSAGES:
            await self.send(socket, message)
            received = await socket.receive(timeout=10)
            kind = WSMsgType.TEXT if isinstance(message, str) else WSMsgType.BINARY
            self.assertEqual((received.type, received.data), (kind, message))

    async def test_enters_with_a_bearer_token_and_exchanges_up_to_the_limit(self):
        async with self.enter(headers=BEARER) as socket:
            await self.exchange(socket)
            await socket.close(code=1000)
        self.assertEqual(socket.close_code, 1000)

    async def test_enters_with_a_ticket_which_is_not_selected(self):
        async with self.enter(protocols=["wardwire.raw", ticket()]) as socket:
            self.assertEqual(socket.protocol, "wardwire.raw")
            await self.exchange(socket)

    async def test_is_closed_with_1009_over_the_limit(self):
        for message in TOO_LARGE:
            async with self.enter(headers=BEARER) as socket:
                await self.send(socket, message)
                received = await socket.receive(timeout=10)
                self.assertEqual((received.type, received.data), (WSMsgType.CLOSE, 1009))

    async def test_is_refused_without_a_credential(self):
        with self.assertRaises(WSServerHandshakeError) as refused:
            async with self.enter():
                pass
        self.assertEqual(refused.exception.status, 401)
