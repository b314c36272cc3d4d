// Closing, by either side.

export default {
  'codes that are refused': {
    wpt: ['Close-2999-reason', 'Close-clamp', 'Close-null', 'close-invalid', 'interfaces/WebSocket/close/close-basic'],
    async of(side, { open, outcome }) {
      const codes = [0, 1, 500, 999, 1001, 1005, 1006, 1015, 2999, 5000, 65535, 65536, 65536 + 1000, -1, -1000, 1000.5, 999.5, 1001.4, NaN, Infinity, -Infinity, null, 'x', '', 'undefined', {}, [], true];
      const connecting = await side.dial();
      const early = codes.map((code) => (code === 999.5 || code === 1000.5 ? null : outcome(() => connecting.close(code))));
      connecting.close();
      const socket = await open(side);
      return [early, connecting.readyState, codes.filter((code) => code !== 999.5 && code !== 1000.5).map((code) => [outcome(() => socket.close(code)), socket.readyState])];
    },
  },
  'codes that throw when they are read': {
    wpt: ['idlharness'],
    async of(side, { open, outcome }) {
      const socket = await open(side);
      return [outcome(() => socket.close(Symbol('x'))), outcome(() => socket.close(1n)), outcome(() => socket.close({ valueOf: () => { throw new RangeError('no'); } })), socket.readyState];
    },
  },
  'codes that are as good as 1000': {
    wpt: ['Close-1000-verify-code', 'Close-clamp'],
    async of(side, { open, story, outcome }) {
      const all = [];
      for (const code of ['1000', ' 1e3 ', 1000.4, 999.6, 999.5, 1000.5, [1000], { valueOf: () => 1000 }]) {
        const socket = await open(side);
        let said;
        all.push(await story(socket, () => ((said = outcome(() => socket.close(code))), socket.close())), said);
      }
      return all;
    },
  },
  'codes of applications': {
    wpt: ['Close-3000-reason', 'Close-3000-verify-code', 'Close-4999-reason', 'Close-1000-reason'],
    async of(side, { open, story }) {
      const all = [];
      for (const how of [[1000], [1000, 'reason'], [3000], [3000, 'reason'], [4999, 'r'.repeat(123)], [3999.4, ''], ['4000', 12]]) {
        const socket = await open(side);
        all.push(await story(socket, () => socket.close(...how)));
      }
      return all;
    },
  },
  'without a code': {
    wpt: ['Close-1005', 'Close-1005-verify-code', 'Close-undefined'],
    async of(side, { open, story }) {
      const all = [];
      for (const how of [[], [undefined], [undefined, undefined]]) {
        const socket = await open(side);
        all.push(await story(socket, () => socket.close(...how)));
      }
      return all;
    },
  },
  'a reason without a code': {
    wpt: ['Close-onlyReason', 'Close-undefined'],
    async of(side, { open, outcome }) {
      const socket = await open(side);
      return [outcome(() => socket.close('reason')), outcome(() => socket.close(undefined, 'r'.repeat(124))), socket.readyState, outcome(() => socket.close(undefined, 'reason')), socket.readyState];
    },
  },
  'reasons that are too long': {
    wpt: ['Close-Reason-124Bytes', 'interfaces/WebSocket/close/close-basic'],
    async of(side, { open, outcome, next }) {
      const socket = await open(side);
      const said = ['r'.repeat(124), 'é'.repeat(62), '€'.repeat(42), '🛰'.repeat(31), '\ud800'.repeat(42)].map((reason) => [outcome(() => socket.close(1000, reason)), socket.readyState]);
      const closed = next(socket, 'close');
      socket.close(1000, '€'.repeat(41));
      return [said, (await closed).reason];
    },
  },
  'reasons of other kinds': {
    wpt: ['Close-reason-unpaired-surrogates', 'interfaces/WebSocket/close/close-replace'],
    async of(side, { open, story }) {
      const all = [];
      for (const reason of ['\ud807', 'a\udc00b\ud800', 'grüße 🛰', '\u0000', null, undefined, 12, { toString: () => 'object' }]) {
        const socket = await open(side);
        all.push(await story(socket, () => socket.close(3000, reason)));
      }
      return all;
    },
  },
  'what is read, in which order': {
    wpt: ['idlharness'],
    async of(side, { open, outcome }) {
      const socket = await open(side);
      const read = [];
      const code = (value) => ({ valueOf: () => (read.push('code'), value) });
      const reason = (value) => ({ toString: () => (read.push('reason'), value) });
      return [outcome(() => socket.close(code(999), reason('r'.repeat(200)))), outcome(() => socket.close(code(1000), reason('r'.repeat(200)))), outcome(() => socket.close(1000, { toString: () => { throw new RangeError('no'); } })), outcome(() => socket.close(1000, Symbol('x'))), read, socket.readyState];
    },
  },
  'while it connects': {
    wpt: ['interfaces/WebSocket/close/close-connecting', 'Close-delayed', 'interfaces/WebSocket/readyState/007'],
    async of({ dial }, { story }) {
      const all = [];
      for (const how of [[], [1000], [3000, 'reason']]) {
        const socket = await dial();
        let between;
        all.push(await story(socket, () => (socket.close(...how), (between = socket.readyState))), between, socket.bufferedAmount);
      }
      return all;
    },
  },
  'while it connects, in the task that made it': {
    wpt: ['interfaces/WebSocket/close/close-connecting', 'interfaces/WebSocket/close/close-connecting-async'],
    async of({ Socket }, { url, story }) {
      const at = (wait) => {
        const socket = new Socket(url);
        return story(socket, () => wait(() => socket.close()));
      };
      return [await at((close) => close()), await at((close) => queueMicrotask(close)), await at((close) => Promise.resolve().then(() => Promise.resolve()).then(close))];
    },
  },
  'nothing is told in the task that closes': {
    wpt: ['interfaces/WebSocket/close/close-nested', 'interfaces/WebSocket/close/close-return'],
    async of(side, { open, next }) {
      const told = [];
      for (const socket of [await side.dial(), await open(side)]) {
        for (const name of ['error', 'close']) socket.addEventListener(name, () => told.push(name));
        const closed = next(socket, 'close');
        const gave = socket.close();
        const before = told.length;
        await Promise.resolve();
        told.push(String(gave), before, told.length, socket.readyState);
        await closed;
      }
      return told;
    },
  },
  'again, and when it is closed': {
    wpt: ['interfaces/WebSocket/close/close-multiple', 'Close-readyState-Closing', 'Close-readyState-Closed'],
    async of(side, { open, story, outcome }) {
      const socket = await open(side);
      const told = await story(socket, () => (socket.close(3001, 'first'), socket.close(3002, 'second'), outcome(() => socket.close(999))));
      return [told, outcome(() => socket.close()), outcome(() => socket.close(3000)), outcome(() => socket.close(999)), outcome(() => socket.close(1000, 'r'.repeat(124))), socket.readyState];
    },
  },
  'in the handlers of its own events': {
    wpt: ['interfaces/WebSocket/close/close-nested', 'eventhandlers'],
    async of(side, { story }) {
      const all = [];
      for (const name of ['open', 'message', 'close']) {
        const socket = await side.dial();
        socket.addEventListener('open', () => socket.readyState === 1 && socket.send('x'));
        socket.addEventListener(name, () => socket.close(3003, name));
        socket.addEventListener('message', () => socket.close(3004, 'later'));
        all.push(await story(socket));
      }
      return all;
    },
  },
  'messages that come after it was asked to close': {
    wpt: ['interfaces/WebSocket/close/*', 'Close-delayed'],
    async of(side, { open, story }) {
      const socket = await open(side);
      return story(socket, () => {
        for (let n = 0; n < 10; n += 1) socket.send('x');
        socket.close();
      });
    },
  },
  'a server that closes': {
    wpt: ['Close-server-initiated-close', 'Close-1000-reason'],
    async of(side, { open, story }) {
      const socket = await open(side);
      // One byte more than a message may hold.
      return story(socket, () => socket.send('x'.repeat(65_537)));
    },
  },
};
