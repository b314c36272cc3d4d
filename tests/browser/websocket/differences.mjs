// What differs on purpose, or cannot be had: what it comes to with the original, and with ours.

export default {
  'an address with a query, a user or a password is refused, as credentials leak from there': {
    of: ({ Socket }, { outcome }) => ['/echo?token=1', '/echo?', `wss://user@${location.host}/echo`, `wss://user:password@${location.host}/echo`].map((bad) => outcome(() => new Socket(bad))),
    native: ['made', 'made', 'made', 'made'],
    secure: ['SyntaxError', 'SyntaxError', 'SyntaxError', 'SyntaxError'],
  },
  'plain `ws:` and `http:` lead to this machine only': {
    of: ({ Socket }, { outcome }) => ['ws://wardwire.test/', 'http://wardwire.test/', 'ws://localhost:1027/'].map((bad) => outcome(() => new Socket(bad))),
    native: ['SecurityError', 'SecurityError', 'made'],
    secure: ['SyntaxError', 'SyntaxError', 'made'],
  },
  'protocols that begin with `wardwire.` are Wardwire\'s own': {
    of: ({ Socket }, { outcome, nowhere }) => [outcome(() => new Socket(nowhere, 'wardwire.v1')), outcome(() => new Socket(nowhere, ['a', 'Wardwire.x']))],
    native: ['made', 'made'],
    secure: ['SyntaxError', 'SyntaxError'],
  },
  'a third argument holds options, such as who one is': {
    of: ({ Socket }, { outcome, nowhere }) => outcome(() => new Socket(nowhere, [], { signal: 5 })),
    native: 'made',
    secure: 'UsageError',
  },
  '`protocol` shows what the application asked for, and nothing of the ticket': {
    of: async (side, { open }) => (await open(side)).protocol,
    native: 'wardwire.raw',
    secure: '',
  },
  '`refusal` tells why it was refused, which the original cannot': {
    async of({ Socket }, { story }) {
      const socket = new Socket(`wss://${location.host}/no/such/route`);
      await story(socket);
      return String(socket.refusal?.code);
    },
    native: 'undefined',
    secure: 'forbidden',
  },
  'it is a class of its own, with a name of its own': {
    async of({ Socket }, { nowhere }) {
      const socket = new Socket(nowhere);
      socket.close();
      return [Socket.name, Object.prototype.toString.call(socket), socket instanceof WebSocket];
    },
    native: ['WebSocket', '[object WebSocket]', true],
    secure: ['SecureWebSocket', '[object SecureWebSocket]', false],
  },
  'its events are made by a script: `isTrusted` is false, and what a listener queues runs when all listeners were told': {
    async of(side, { open }) {
      const socket = await open(side);
      const told = [];
      socket.addEventListener('message', ({ isTrusted }) => (told.push(isTrusted), queueMicrotask(() => told.push('queued'))));
      return new Promise((resolve) => {
        socket.addEventListener('message', () => (told.push('second'), queueMicrotask(() => resolve(told))));
        socket.send('x');
      });
    },
    native: [true, 'queued', 'second'],
    secure: [false, 'second', 'queued'],
  },
};
