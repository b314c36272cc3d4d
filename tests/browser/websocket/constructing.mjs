// The constructor: addresses and protocols, and what a socket is at its beginning.

export default {
  'addresses that are none': {
    wpt: ['Create-invalid-urls', 'Create-wrong-scheme', 'constructor/005'],
    of: ({ Socket }, { outcome }) => ['http://', 'wss://', 'wss://?', 'ftp://localhost/', 'mailto:a@b', 'javascript:1', 'about:blank', 'data:,x', 'blob:x', 'wss://localhost:65536/', 'wss://local host/', 'wss://[::1', 'wss://localhost/#part', 'wss://localhost/#', '//'].map((bad) => outcome(() => new Socket(bad))),
  },
  'addresses, as they are read back': {
    wpt: ['Create-valid-url', 'Create-non-absolute-url', 'Create-url-with-space', 'Create-http-urls', 'interfaces/WebSocket/url/001 to 006, resolve'],
    of({ Socket }) {
      const { host, origin } = location;
      const given = [`wss://${host}`, `https://${host}/echo`, `WSS://${host.toUpperCase()}/echo`, '/echo', 'echo', './a/../echo', `//${host}/echo`, `wss://${host}/a b/é`, ` wss://${host}/echo\n`, new URL('/echo', origin), { toString: () => '/echo' }, null, undefined, 12, ''];
      return given.map((address) => {
        const socket = new Socket(address);
        const { url } = socket;
        socket.close();
        return url;
      });
    },
  },
  'an address that throws when it is read': {
    wpt: ['idlharness'],
    of: ({ Socket }, { outcome }) => [outcome(() => new Socket({ toString: () => { throw new RangeError('no'); } })), outcome(() => new Socket(Symbol('x'))), outcome(() => new Socket())],
  },
  'protocols that are none': {
    wpt: ['Create-asciiSep-protocol-string', 'Create-nonAscii-protocol-string', 'Create-protocol-with-space', 'Create-protocols-repeated', 'Create-protocols-repeated-case-insensitive', 'constructor/006 to 010, 013, 016, 017'],
    of({ Socket }, { outcome, nowhere }) {
      const separators = [...'()<>@,;:\\"/[]?={} \t\u007f\u0000\u001f\u0080'];
      const lists = [['a', 'a'], ['a', 'A'], [''], '', 'a,b', 'a b', ' a', ['a', '\u0000'], ['a', ['a']], [1, '1'], 'é', '\u2603'];
      return [...separators, ...lists].map((bad) => outcome(() => new Socket(nowhere, bad)));
    },
  },
  'protocols of other kinds': {
    wpt: ['Create-valid-url-array-protocols', 'Create-valid-url-protocol-string', 'Create-valid-url-protocol-empty', 'constructor/011, 018, 019'],
    of({ Socket }, { outcome, nowhere }) {
      const kinds = [undefined, null, [], {}, 5, true, 'a', ['a', 'b'], new Set(['a', 'b']), [null], [undefined, 'a'], { toString: () => 'a b' }, new String('a'), Symbol('x'), [Symbol('x')], { [Symbol.iterator]: 5 }, (function* () { yield 'a'; yield 'a'; })()];
      return kinds.map((kind) => outcome(() => new Socket(nowhere, kind)));
    },
  },
  'what is read, in which order': {
    wpt: ['idlharness', 'constructor/*'],
    of({ Socket }, { outcome }) {
      const read = [];
      const said = outcome(() => new Socket({ toString: () => (read.push('address'), 'ftp://x/') }, { [Symbol.iterator]: function* () { read.push('protocols'); yield 'a b'; } }));
      return [said, read];
    },
  },
  'at the beginning': {
    wpt: ['Create-extensions-empty', 'Create-valid-url-binaryType-blob', 'interfaces/WebSocket/readyState/001 to 005', 'interfaces/WebSocket/extensions/001', 'interfaces/WebSocket/protocol/001', 'interfaces/WebSocket/bufferedAmount/*-initial'],
    async of({ dial }) {
      const socket = await dial();
      const { url, readyState, bufferedAmount, extensions, protocol, binaryType, onopen, onmessage, onerror, onclose } = socket;
      socket.close();
      return [url, readyState, bufferedAmount, extensions, protocol, binaryType, onopen, onmessage, onerror, onclose, socket instanceof EventTarget];
    },
  },
  'when it is open': {
    wpt: ['opening-handshake/*', 'interfaces/WebSocket/extensions/001', 'interfaces/WebSocket/readyState/006'],
    async of(side, { open }) {
      const socket = await open(side);
      return [socket.readyState, socket.extensions, socket.bufferedAmount, socket.binaryType, socket.url];
    },
  },
  'a protocol that the server does not select': {
    wpt: ['opening-handshake/*', 'Create-valid-url-protocol-setCorrectly'],
    async of({ dial }, { story }) {
      const socket = await dial(['unknown.to.the.server']);
      return [await story(socket), socket.protocol, socket.extensions];
    },
  },
  'a port that nobody may speak to': {
    wpt: ['Create-blocked-port'],
    of: ({ Socket }, { story }) => story(new Socket('wss://localhost:6667/echo')),
  },
  'a port where nobody is': {
    wpt: ['Create-valid-url', 'eventhandlers', 'interfaces/WebSocket/events/*'],
    of: ({ Socket }, { story }) => story(new Socket('wss://localhost:1027/echo')),
  },
  'a path that is no route': {
    wpt: ['opening-handshake/*'],
    of: ({ Socket }, { story }) => story(new Socket(`wss://${location.host}/no/such/route`)),
  },
};
