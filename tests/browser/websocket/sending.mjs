// Sending: in which state, and what.

export default {
  'before it is open': {
    wpt: ['Send-before-open', 'interfaces/WebSocket/send/005, 006'],
    async of({ dial }, { outcome }) {
      const socket = await dial();
      const kinds = ['early', '', new ArrayBuffer(1), new Uint8Array(1), new Blob(['x']), null, undefined, Symbol('x')];
      const said = [outcome(() => socket.send()), ...kinds.map((data) => outcome(() => socket.send(data)))];
      const { bufferedAmount } = socket;
      socket.close();
      return [said, bufferedAmount, outcome(() => socket.send('closing'))];
    },
  },
  'nothing, and what cannot be text': {
    wpt: ['interfaces/WebSocket/send/006', 'idlharness'],
    async of(side, { open, outcome }) {
      const socket = await open(side);
      const bad = [Symbol('x'), { toString: () => { throw new RangeError('no'); } }, Object.create(null)];
      const before = [outcome(() => socket.send()), ...bad.map((data) => outcome(() => socket.send(data))), outcome(() => socket.send('x')), String(socket.send('x'))];
      socket.close();
      return [before, outcome(() => socket.send()), ...bad.map((data) => outcome(() => socket.send(data)))];
    },
  },
  'text': {
    wpt: ['Send-data', 'Send-0byte-data', 'Send-unicode-data', 'Send-null', 'interfaces/WebSocket/send/007 to 012'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const all = [];
      for (const sent of ['', 'text', 'grüße 🛰', '\u0000', null, undefined, 12, true, { a: 1 }, ['a', 'b'], new String('x'), new Date(0).getTime(), 5n]) all.push(await echo(socket, sent));
      return all;
    },
  },
  'surrogates': {
    wpt: ['Send-paired-surrogates', 'Send-unpaired-surrogates', 'interfaces/WebSocket/send/007'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const all = [];
      for (const sent of ['\ud801\udc07', '\ud807', '\udc07', 'half \ud800', '\udc00\ud800', 'a\ud800b\udfffc']) all.push(await echo(socket, sent));
      return all;
    },
  },
  'text as large as it may be': {
    wpt: ['Send-65K-data', 'extended-payload-length'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const all = [];
      for (const length of [125, 126, 127, 65_000, 65_535, 65_536]) all.push((await echo(socket, 'c'.repeat(length))).length);
      return all;
    },
  },
  'bytes': {
    wpt: ['Send-binary-arraybuffer', 'Send-binary-65K-arraybuffer', 'Send-binary-arraybufferview-*', 'Send-binary-blob', 'binary/001 to 005'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const buffer = Uint8Array.from({ length: 64 }, (_, at) => at).buffer;
      const kinds = [
        new ArrayBuffer(0), buffer, new ArrayBuffer(65_536), new Blob([]), new Blob(['ab', buffer]), new File(['c'], 'name'),
        new Uint8Array(buffer), new Uint8Array(buffer, 2), new Uint8Array(buffer, 2, 3), new Uint8ClampedArray(buffer, 5, 1), new Int8Array(buffer, 1, 2),
        new Int16Array(buffer, 2), new Uint16Array(buffer, 2, 2), new Int32Array(buffer, 4, 2), new Uint32Array(buffer, 0, 2), new Float32Array(buffer, 4), new Float64Array(buffer, 8, 1),
        new BigInt64Array(buffer, 8, 1), new DataView(buffer, 3, 4),
      ];
      const all = [];
      for (const type of ['arraybuffer', 'blob']) {
        socket.binaryType = type;
        for (const sent of kinds) all.push(await echo(socket, sent));
      }
      return all;
    },
  },
  'bytes that are changed or given away after the call': {
    wpt: ['Send-binary-arraybuffer'],
    async of(side, { open, next }) {
      const socket = await open(side);
      socket.binaryType = 'arraybuffer';
      const bytes = Uint8Array.of(1, 2, 3);
      const came = next(socket, 'message');
      socket.send(bytes);
      bytes.fill(9);
      const first = [...new Uint8Array((await came).data)];
      const given = new ArrayBuffer(4);
      structuredClone(given, { transfer: [given] });
      const second = next(socket, 'message');
      socket.send(given);
      return [first, (await second).data.byteLength];
    },
  },
  'memory that is shared, or can grow': {
    wpt: ['idlharness'],
    async of(side, { open, outcome }) {
      const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
      const socket = await open(side);
      const kinds = [buffer, new Uint8Array(buffer, 0, 2), new ArrayBuffer(4, { maxByteLength: 8 }), new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }))];
      const said = kinds.map((data) => outcome(() => socket.send(data)));
      socket.close();
      return [said, kinds.map((data) => outcome(() => socket.send(data)))];
    },
  },
  'order': {
    wpt: ['Send-data', 'binary/*'],
    async of(side, { open }) {
      const socket = await open(side);
      socket.binaryType = 'arraybuffer';
      const seen = [];
      const all = new Promise((resolve) => (socket.onmessage = ({ data }) => seen.push(typeof data === 'string' ? data : data.byteLength) === 30 && resolve()));
      for (let n = 0; n < 10; n += 1) {
        socket.send(String(n));
        socket.send(new Blob(['x'.repeat(n)]));
        socket.send(new Uint8Array(n));
      }
      await all;
      return seen;
    },
  },
  'bufferedAmount while it sends': {
    wpt: ['interfaces/WebSocket/bufferedAmount/bufferedAmount-arraybuffer, -blob, -large, -unicode, -getting, -deleting'],
    async of(side, { open, next }) {
      const socket = await open(side);
      const all = [];
      for (const sent of ['x'.repeat(100), 'é'.repeat(10), '\ud800', '', new ArrayBuffer(10), new Uint8Array(10).subarray(3), new Blob(['grüße'])]) {
        const came = next(socket, 'message');
        socket.send(sent);
        all.push(socket.bufferedAmount);
        await came;
        all.push(socket.bufferedAmount);
      }
      return all;
    },
  },
  'bufferedAmount when it is closed': {
    wpt: ['interfaces/WebSocket/bufferedAmount/bufferedAmount-defineProperty-*', 'interfaces/WebSocket/close/close-basic'],
    async of(side, { open, next }) {
      const socket = await open(side);
      const closed = next(socket, 'close');
      const all = [];
      const put = (...sent) => {
        for (const data of sent) {
          socket.send(data);
          all.push(socket.bufferedAmount);
        }
      };
      socket.close(3001);
      put('12345', 'é', '\ud800', 12, null, new Uint8Array(3), new ArrayBuffer(4), new Blob(['ab']), new DataView(new ArrayBuffer(9), 2, 3));
      await closed;
      all.push(socket.bufferedAmount);
      put('é', new ArrayBuffer(2));
      return all;
    },
  },
  'bufferedAmount of one that never opened': {
    wpt: ['interfaces/WebSocket/bufferedAmount/*', 'interfaces/WebSocket/close/close-connecting'],
    async of({ dial }, { next }) {
      const socket = await dial();
      const closed = next(socket, 'close');
      socket.close();
      socket.send('123');
      const between = socket.bufferedAmount;
      await closed;
      socket.send(new Uint8Array(4));
      return [between, socket.bufferedAmount];
    },
  },
};
